//! Connections of the main port: how long and how many, and TLS.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse_duration;

/// How connections are kept.
#[derive(Clone, Debug, Args)]
pub struct ConnectionsConfig {
    /// How long a connection may wait for its next request before it is closed, such as 8s. Clients and balancers that
    /// keep connections should give them up sooner.
    #[arg(long, env = "TIDEMARK_KEEP_ALIVE", default_value = "8s", value_parser = parse_keep_alive)]
    pub keep_alive: Duration,

    /// Connections of one address at a time, of IPv6 one /64; more are refused; 0 means any number. Behind a
    /// balancer all connections are the balancer's [default: a quarter of --max-connections, except from this machine].
    #[arg(long, env = "TIDEMARK_MAX_CONNECTIONS_PER_PEER")]
    pub max_connections_per_peer: Option<u32>,

    /// Serve TLS with the certificate chain in this PEM file; read again when it changes.
    #[arg(long, env = "TIDEMARK_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, in PEM; read again when it changes.
    #[arg(long, env = "TIDEMARK_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

fn parse_keep_alive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => {
            Err("a connection that may not wait at all takes no second request".to_owned())
        }
        // Timers of the runtime are not made for more.
        long if long > Duration::from_secs(24 * 60 * 60) => {
            Err("longer than a day is not kept".to_owned())
        }
        keep_alive => Ok(keep_alive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_connection_waits_for_some_time() {
        assert_eq!(parse_keep_alive("75s"), Ok(Duration::from_secs(75)));
        for text in ["0s", "25h", "long"] {
            assert!(parse_keep_alive(text).is_err(), "{text}");
        }
    }
}
