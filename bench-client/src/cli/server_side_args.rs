//! How the server is looked at during a run, as flags.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use reqwest::Url;

use super::CommandError;
use super::args::usage;
use crate::base_url::BaseUrl;
use crate::chaos::Subject;
use crate::server_side::{MetricsSource, ServerSide};

/// How the server is looked at during a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the server is looked at")]
pub(super) struct ServerSideArgs {
    /// Where the server's metrics are read four times a second, in Prometheus' text format, or `none` [default:
    /// {base_url}/metrics if it answers with them]
    #[arg(long, value_name = "URL")]
    server_metrics: Option<String>,
}

impl ServerSideArgs {
    /// The view from the server's side as it joins a run.
    pub(super) fn hook(
        self,
        base: &BaseUrl,
        subject: &Arc<Subject>,
        out: &Path,
    ) -> Result<ServerSide, CommandError> {
        let hook = |metrics| ServerSide::new(Arc::clone(subject), metrics, out);
        Ok(match self.server_metrics.as_deref() {
            Some("none") => hook(None),
            Some(url) => hook(Some(asked_for(url)?)),
            None => {
                let url = base.join(&["metrics"], None);
                let source = MetricsSource::new(url).map_err(std::io::Error::other)?;
                // A server of the contract need not have any.
                hook(Some(source)).if_it_has_metrics()
            }
        })
    }
}

fn asked_for(text: &str) -> Result<MetricsSource, CommandError> {
    let refused = |reason: String| usage(format!("--server-metrics {text}: {reason}"));
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if url.scheme() != "http" {
        return Err(refused("this client reads plain http".to_owned()).into());
    }
    let source = MetricsSource::new(url).map_err(|error| refused(error.to_string()))?;
    source.read().map_err(|error| refused(error.to_string()))?;
    Ok(source)
}
