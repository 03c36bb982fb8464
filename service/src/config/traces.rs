//! Traces.

use clap::Args;

/// The variables by which all that speak OTLP are told where to.
const URL: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where traces go.
#[derive(Clone, Debug, Args)]
pub struct TracesConfig {
    /// Send traces as OTLP over HTTP to the collector there, such as http://localhost:4318;
    /// OTEL_EXPORTER_OTLP_ENDPOINT if not given. Without either there are no traces.
    #[arg(long, env = "TIDEMARK_OTLP_ENDPOINT", value_parser = plain_http)]
    pub otlp_endpoint: Option<String>,

    /// Share of the requests without a `traceparent` that are traced, 0 to 1; those with one are traced if it says so.
    #[arg(long, env = "TIDEMARK_TRACE_SAMPLE", default_value_t = 0.01, value_parser = share)]
    pub trace_sample: f64,
}

impl TracesConfig {
    /// The URL to send to; none if there are no traces.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn url(&self) -> Result<Option<String>, String> {
        self.url_with(|name| std::env::var(name).ok())
    }

    fn url_with(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, String> {
        let set = |name| variable(name).filter(|text| !text.is_empty());
        if let Some(base) = &self.otlp_endpoint {
            return Ok(Some(below(base)));
        }
        if let Some(url) = set(URL) {
            return plain_http(&url)
                .map(Some)
                .map_err(|why| format!("{URL}: {why}"));
        }
        let base = set(BASE).map(|base| plain_http(&base)).transpose();
        let base = base.map_err(|why| format!("{BASE}: {why}"))?;
        Ok(base.map(|base| below(&base)))
    }
}

fn below(base: &str) -> String {
    format!("{}/v1/traces", base.trim_end_matches('/'))
}

fn plain_http(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        // Not repeated: it may hold a password.
        Some(_) | None => Err(
            "expected http://HOST:PORT; for a collector behind TLS, send to an agent on this machine"
                .to_owned(),
        ),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share @ 0.0..=1.0) => Ok(share),
        Ok(_) => Err("expected a share from 0 to 1".to_owned()),
        Err(error) => Err(format!("{error}; expected a share from 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let config = TracesConfig {
            otlp_endpoint: flag.map(str::to_owned),
            trace_sample: 1.0,
        };
        config.url_with(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_comes_before_the_variables_of_others() {
        let other = (BASE, "http://b:1/");
        let told = |path: &str| Ok(Some(path.to_owned()));
        assert_eq!(url(None, &[]), Ok(None));
        assert_eq!(url(None, &[(BASE, "")]), Ok(None));
        assert_eq!(url(None, &[other]), told("http://b:1/v1/traces"));
        assert_eq!(
            url(None, &[other, (URL, "http://c:1/x")]),
            told("http://c:1/x")
        );
        assert_eq!(
            url(Some("http://a:1"), &[other]),
            told("http://a:1/v1/traces")
        );
        assert!(
            url(None, &[(BASE, "https://b")])
                .unwrap_err()
                .contains(BASE)
        );
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["", "-0.1", "1.5", "NaN", "half"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
