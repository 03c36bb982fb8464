use clap::Args;

/// What a start does beside opening the store.
#[derive(Clone, Debug, Args)]
pub struct StartConfig {
    /// When stopping, note which models are in memory, and after the next start read them back
    /// beside the requests.
    #[arg(long, env = "TIDEMARK_WARM_START")]
    pub warm_start: bool,
}
