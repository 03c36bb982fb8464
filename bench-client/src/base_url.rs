//! The server's address as the user gave it, checked once, so that no later phase meets an
//! address it cannot use.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::api_key::ApiKey;

/// An `http` address under which the contract's paths are found; it may carry a path prefix.
/// The key that goes with every request is no part of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    key: Option<ApiKey>,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseUrlError {
    /// Not a URL at all.
    #[error("not a URL: {0} (expected something like http://127.0.0.1:8000)")]
    Malformed(String),
    /// This client carries no TLS: a handshake inside the timed span would be measured as the
    /// server's latency.
    #[error(
        "https is not supported: this client measures plain http (put it behind the proxy that ends TLS, or use its http port)"
    )]
    Https,
    /// Another scheme than http.
    #[error("scheme `{0}` is not supported: use http://host:port")]
    Scheme(String),
    /// A user or a password, which this client does not send. Neither is in the message.
    #[error("a base URL has neither user nor password: this client sends no credentials")]
    Credentials,
    /// A query or a fragment, which the contract's own paths would be appended to.
    #[error("a base URL has neither query nor fragment")]
    QueryOrFragment,
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim()).map_err(|error| match error.to_string() {
            reason if text.trim().is_empty() => format!("it is empty ({reason})"),
            reason => reason,
        });
        let url = url.map_err(BaseUrlError::Malformed)?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(BaseUrlError::Https),
            // `localhost:8000` parses as a URL of the scheme `localhost`.
            other => return Err(BaseUrlError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::QueryOrFragment);
        }
        Ok(Self { url, key: None })
    }
}

impl BaseUrl {
    /// The same address, where every request is sent with `key`.
    #[must_use]
    pub fn with_key(self, key: Option<ApiKey>) -> Self {
        Self { key, ..self }
    }

    /// The key that goes with every request.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// The address of `segments` below the base, each percent-encoded as one path segment,
    /// with `query` appended literally.
    #[must_use]
    pub fn join(&self, segments: &[&str], query: Option<&str>) -> Url {
        let mut url = self.url.clone();
        // An `http` URL always has a path, which is the only thing this can fail on.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.set_query(query);
        url
    }

    /// Host and port for a plain TCP connection, an IPv6 host in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        format!("{host}:{port}")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BaseUrl, BaseUrlError> {
        text.parse()
    }

    #[test]
    fn joins_below_a_prefix_and_encodes_segments() {
        for base in ["http://h:8000/api/v1", "http://h:8000/api/v1/"] {
            let base = parse(base).unwrap();
            let url = base.join(&["predict", "a/b c"], Some("version=0"));
            assert_eq!(
                url.as_str(),
                "http://h:8000/api/v1/predict/a%2Fb%20c?version=0"
            );
            assert_eq!(base.to_string(), "http://h:8000/api/v1");
        }
        assert_eq!(
            parse("http://h")
                .unwrap()
                .join(&["healthcheck"], None)
                .as_str(),
            "http://h/healthcheck"
        );
    }

    #[test]
    fn authority_fills_in_the_default_port() {
        assert_eq!(parse("http://h").unwrap().authority(), "h:80");
        assert_eq!(parse("http://[::1]:81").unwrap().authority(), "[::1]:81");
    }

    #[test]
    fn credentials_that_were_never_sent_are_refused() {
        for address in ["http://user:pw@h", "http://user@h", "http://:pw@h:8000/api"] {
            assert_eq!(parse(address), Err(BaseUrlError::Credentials), "{address}");
        }
        assert!(!BaseUrlError::Credentials.to_string().contains("pw"));
        // An @ of the path is none.
        assert!(parse("http://h/a@b").is_ok());
    }

    #[test]
    fn unusable_addresses_say_why() {
        assert_eq!(parse("https://h"), Err(BaseUrlError::Https));
        assert_eq!(
            parse("localhost:8000"),
            Err(BaseUrlError::Scheme("localhost".into()))
        );
        assert!(matches!(parse("8000"), Err(BaseUrlError::Malformed(_))));
        assert!(matches!(parse(""), Err(BaseUrlError::Malformed(_))));
        assert_eq!(parse("http://h/?a=1"), Err(BaseUrlError::QueryOrFragment));
    }
}
