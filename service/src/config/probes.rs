use std::net::SocketAddr;

use clap::Args;

/// Where probes are answered beside the main port.
#[derive(Clone, Debug, Args)]
pub struct ProbesConfig {
    /// Answer probes and metrics on this address too, on a thread that no request can hold up; port
    /// 0 takes a free one, which is then printed.
    #[arg(long, env = "TIDEMARK_HEALTH_ADDR")]
    pub health_addr: Option<SocketAddr>,
}
