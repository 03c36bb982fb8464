//! All metrics of a server as text, in the format that the reader asks for.
//!
//! A further group of metrics is a file here with one function, named in `GROUPS`. It reads counts that their module
//! keeps; nothing is counted here. Labels come from closed sets only, so that the length of the text does not grow with
//! what clients send: no series, no tenant, no request.

mod admission;
mod families;
mod http;
mod memory;
mod models;
mod process;
mod store;
mod traces;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::startup::State;
use families::Families;

/// Tells some of the metrics.
type Group = fn(&State, &mut Families<'_>) -> fmt::Result;

/// All of them, in the order of the text.
const GROUPS: &[Group] = &[
    http::tell,
    admission::tell,
    memory::tell,
    models::tell,
    store::tell,
    process::tell,
    traces::tell,
];

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What an `Accept` field asks for: OpenMetrics 1.0 if it is named and not declined, for whoever knows that name
    /// reads it; else what every reader knows (RFC 9110, 12.5.1, without an order of preference).
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let is_open_metrics = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_fine = |parameter: &str| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                match name.trim() {
                    "version" => value.trim() == "1.0.0",
                    "q" => value.trim().parse().is_ok_and(|q: f64| q > 0.0),
                    _ => true,
                }
            };
            name.eq_ignore_ascii_case("application/openmetrics-text") && parts.all(is_fine)
        };
        if accept.split(',').any(is_open_metrics) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics as they are now. Takes some hundred microseconds and reads `/proc`: not on a thread that serves
/// connections.
#[must_use]
pub fn text(state: Arc<State>, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(AllOf(state)));
    let mut text = String::with_capacity(32 * 1024);
    let written = match format {
        Format::Prometheus => prometheus_text::encode(&mut text, &registry),
        Format::OpenMetrics => text::encode(&mut text, &registry),
    };
    written.expect("a string takes whatever is written to it");
    text
}

struct AllOf(Arc<State>);

impl fmt::Debug for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllOf")
    }
}

impl Collector for AllOf {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        GROUPS
            .iter()
            .try_for_each(|tell| tell(&self.0, &mut families))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_who_names_it() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
        for (accept, format) in [
            (of_prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "text/html, Application/OpenMetrics-Text; q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=0.0.1",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
