//! What an operator may set: flags, each also an environment variable and a key of a file.

mod admission;
mod backup;
mod command_line;
mod connections;
mod file;
mod keys;
mod print;
mod probes;
mod secret;
mod start;
mod store;
mod store_commands;
mod telemetry;
mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use admission::{AdmissionConfig, BYTES_A_CONNECTION, Budget};
pub use backup::{BackupConfig, RestoreConfig};
pub use command_line::{Invocation, command, flags, read};
pub use connections::ConnectionsConfig;
pub use keys::{KeysAt, KeysCommand, KeysConfig};
pub use probes::ProbesConfig;
pub use start::StartConfig;
pub use store::StoreConfig;
pub use store_commands::{RepairConfig, VerifyConfig};
pub use telemetry::{LogFormat, TelemetryConfig};
pub use traces::TracesConfig;

use crate::store::Durability;

/// A time-series anomaly-detection service: POST a history to `/fit/{id}`, points to `/predict/{id}`.
#[derive(Debug, Parser)]
#[command(name = "tidemark", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary does.
#[expect(
    clippy::large_enum_variant,
    reason = "a process has one, made at its start"
)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve(ServeConfig),
    /// Make, list and revoke API keys.
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Read all of a store that no server has open, and say what is damaged or missing: exit 0, 1 if
    /// something is, 2 if it cannot be read.
    Verify(VerifyConfig),
    /// Go on with a store of which acknowledged commits are missing.
    Repair(RepairConfig),
    /// Ask a running server whether it is ready; exit 0 if so. For container health checks.
    Probe {
        /// The server's address.
        #[arg(long, default_value = "127.0.0.1:8000")]
        addr: SocketAddr,
        /// The probe to ask.
        #[arg(long, default_value = "/health/ready")]
        path: String,
    },
    /// Write a backup of the store, of a running server or of none.
    Backup(BackupConfig),
    /// Make a store from a backup, or only check the backup.
    Restore(RestoreConfig),
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct ServeConfig {
    /// Address to listen on; port 0 takes a free one, which is then printed.
    #[arg(long, env = "TIDEMARK_ADDR", default_value = "127.0.0.1:8000")]
    pub addr: SocketAddr,

    /// Folder of the store; made when it is not there.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Listen on an address that other machines reach although no caller has to authenticate.
    #[arg(long, env = "TIDEMARK_INSECURE")]
    pub insecure: bool,

    /// Who may ask.
    #[command(flatten)]
    pub keys: KeysConfig,

    /// Fit a handful of real example series, if they are not there, and say where to look.
    #[arg(long, env = "TIDEMARK_DEMO")]
    pub demo: bool,

    /// Fewest points a fit takes.
    #[arg(long, env = "TIDEMARK_MIN_TRAINING_POINTS", default_value_t = api::limits::MIN_TRAINING_POINTS,
          value_parser = at_least_three)]
    pub min_training_points: usize,

    /// Largest request body, such as 64MiB.
    #[arg(long, env = "TIDEMARK_MAX_BODY", default_value = "64MiB", value_parser = parse_bytes)]
    pub max_body: usize,

    /// What is taken on.
    #[command(flatten)]
    pub admission: AdmissionConfig,

    /// Threads that serve connections; 0 means one a core.
    #[arg(long, env = "TIDEMARK_WORKERS", default_value_t = 0)]
    pub workers: usize,

    /// Threads for long fits, and as many for large bodies and dear predicts; 0 means one a core.
    #[arg(long, env = "TIDEMARK_COMPUTE_THREADS", default_value_t = 0)]
    pub compute_threads: usize,

    /// After a signal, how long to go on accepting while the balancer learns of it.
    #[arg(long, env = "TIDEMARK_DRAIN_DELAY", default_value = "5s", value_parser = parse_duration)]
    pub drain_delay: Duration,

    /// After that, how long requests in flight may take.
    #[arg(long, env = "TIDEMARK_DRAIN_TIMEOUT", default_value = "30s", value_parser = parse_duration)]
    pub drain_timeout: Duration,

    /// When a fit counts as stored. Not a flag: benchmarks measure what the sync costs, a server
    /// always syncs.
    #[arg(skip = Durability::Synced)]
    pub durability: Durability,

    /// How connections are kept.
    #[command(flatten)]
    pub connections: ConnectionsConfig,

    /// Where probes are answered.
    #[command(flatten)]
    pub probes: ProbesConfig,

    /// What a start does beside opening the store.
    #[command(flatten)]
    pub start: StartConfig,

    /// Logs and what else tells of the server.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,

    /// What the store keeps beside models.
    #[command(flatten)]
    pub store: StoreConfig,
}

impl ServeConfig {
    /// Where the API keys are.
    #[must_use]
    pub fn keys_file(&self) -> PathBuf {
        self.keys.file(&self.data_dir)
    }

    /// Whether other machines reach the main port.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.addr.ip().is_loopback()
    }

    /// Refuses what would expose the server without its operator knowing. `--health-addr` is not
    /// asked about: it shows no series and lets other machines change nothing, and one who needs it on every address of
    /// a pod should not have to say `--insecure` for the main port as well.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        let keys = self.keys_file();
        let has_keys = keys.exists();
        if self.keys.keys.is_some() && !has_keys {
            return Err(format!(
                "--keys {} is not there: without it no caller would have to authenticate; make a key with `tidemark \
                 keys create`, or leave --keys out",
                keys.display()
            ));
        }
        if self.is_public() && !has_keys && !self.insecure {
            return Err(format!(
                "{} can be reached from other machines and no caller has to authenticate: make a key with `tidemark \
                 keys create --data-dir {}`, listen on a loopback address such as 127.0.0.1:{}, or add --insecure if \
                 the network around it is trusted",
                self.addr,
                self.data_dir.display(),
                self.addr.port()
            ));
        }
        if has_keys && self.admission.tenant_header.is_some() {
            return Err(format!(
                "--tenant-header and the keys in {} would both name the tenant of a request: leave out --tenant-header",
                keys.display()
            ));
        }
        self.admission.budget().map(|_| ())
    }
}

/// A Student-t interval needs a variance, and the contract names three.
fn at_least_three(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= api::limits::MIN_TRAINING_POINTS => Ok(n),
        Ok(_) => Err(format!(
            "at least {} points are needed to fit anything",
            api::limits::MIN_TRAINING_POINTS
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let size: bytesize::ByteSize = text
        .parse()
        .map_err(|error| format!("{error}; expected such as 512MiB"))?;
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|error| format!("{error}; expected such as 500ms or 5s"))?;
    Duration::try_from(span).map_err(|_| "a duration is not negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read_with_their_units() {
        assert_eq!(parse_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["", "MiB", "-1", "many"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        for text in ["", "5", "-1s", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_a_word() {
        let serve = |arguments: &[&str]| {
            let line = ["tidemark", "serve"].iter().chain(arguments);
            match Cli::try_parse_from(line).unwrap().command {
                Command::Serve(config) => config.check(),
                _ => unreachable!("`serve` was parsed"),
            }
        };
        assert!(serve(&[]).is_ok() && serve(&["--addr", "[::1]:0"]).is_ok());
        assert!(
            serve(&["--addr", "0.0.0.0:8000"])
                .unwrap_err()
                .contains("--insecure")
        );
        assert!(serve(&["--addr", "0.0.0.0:8000", "--insecure"]).is_ok());
        assert!(serve(&["--health-addr", "0.0.0.0:8001"]).is_ok());
    }
}
