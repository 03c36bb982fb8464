//! Reading the server's metrics, and what of them a timeline and a reconciliation need.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::exposition::Exposition;

/// Longest that one reading may take.
const WITHIN: Duration = Duration::from_secs(2);

const REQUESTS: &str = "tidemark_http_requests_total";
const IN_FLIGHT: &str = "tidemark_http_requests_in_flight";
const WAITING: &str = "tidemark_admission_waiting";
const REFUSALS: &str = "tidemark_refusals_total";
const STARTED: &str = "process_start_time_seconds";
const CPU: &str = "process_cpu_seconds_total";
const RSS: &str = "process_resident_memory_bytes";
const FDS: &str = "process_open_fds";

/// Where metrics are read, over a connection of their own.
pub struct MetricsSource {
    url: Url,
    http: Client,
    runtime: Runtime,
}

/// One reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What the timeline keeps.
    pub gauges: Gauges,
    /// Requests by route template and status; none if the server does not count them.
    pub requests: Option<BTreeMap<(String, String), u64>>,
    /// When the process started, in Unix seconds.
    pub started_s: Option<f64>,
}

/// What a timeline keeps of the metrics; whatever the server does not tell is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gauges {
    /// Requests that the server was working on, the one that read this included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<f64>,
    /// Requests that waited for admission, of all classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<f64>,
    /// Requests refused since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<f64>,
    /// Processor time of its process in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Its resident memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<f64>,
    /// Its open file descriptors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fds: Option<f64>,
}

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// No reply, or one that broke off.
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    /// Another status than 200.
    #[error("HTTP {0}")]
    Status(u16),
    /// Not Prometheus' text format.
    #[error("the reply has no metrics in it")]
    Content,
    /// The system refuses.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl MetricsSource {
    /// A source that has not been asked yet.
    ///
    /// # Errors
    /// When a runtime or the HTTP client cannot be set up.
    pub fn new(url: Url) -> Result<Self, MetricsError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let http = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(WITHIN)
            .build()?;
        Ok(Self { url, http, runtime })
    }

    /// Where it reads.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Reads them; blocks for two seconds at most. Not to be called inside of a runtime.
    ///
    /// # Errors
    /// When there is no reply, or one without metrics in it.
    pub fn read(&self) -> Result<Reading, MetricsError> {
        self.runtime.block_on(async {
            let reply = self.http.get(self.url.clone()).send().await?;
            if reply.status() != 200 {
                return Err(MetricsError::Status(reply.status().as_u16()));
            }
            let page = Exposition::parse(&reply.text().await?).ok_or(MetricsError::Content)?;
            Ok(Reading::of(&page))
        })
    }
}

impl Reading {
    fn of(page: &Exposition) -> Self {
        let mut requests: Option<BTreeMap<_, u64>> = None;
        for (route, status, n) in page.by(REQUESTS, ["route", "status"]) {
            let key = (route.to_owned(), status.to_owned());
            // Methods of one route are added.
            *requests.get_or_insert_default().entry(key).or_default() += n as u64;
        }
        Self {
            gauges: Gauges {
                in_flight: page.sum(IN_FLIGHT),
                waiting: page.sum(WAITING),
                refusals: page.sum(REFUSALS),
                cpu_s: page.sum(CPU),
                rss_bytes: page.sum(RSS),
                fds: page.sum(FDS),
            },
            requests,
            started_s: page.sum(STARTED),
        }
    }
}

#[cfg(test)]
impl Reading {
    pub(super) fn parse(page: &str) -> Self {
        Self::of(&Exposition::parse(page).unwrap())
    }
}
