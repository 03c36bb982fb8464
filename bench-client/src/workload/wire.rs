//! The bytes of requests (RFC 9112), addressed to one server.

use bytes::Bytes;

use super::Prepared;
use crate::api_key::ApiKey;
use crate::base_url::BaseUrl;
use crate::load::response::Op;

/// What every request of a run has in common.
#[derive(Debug)]
pub(super) struct Wire {
    base: BaseUrl,
    /// The header fields that all requests have.
    common: String,
}

/// What comes before the number of a series, and after it.
#[derive(Debug)]
pub(super) struct SeriesHead {
    op: Op,
    before: String,
    after: String,
}

impl Wire {
    pub(super) fn new(base: &BaseUrl) -> Self {
        let common = format!(
            " HTTP/1.1\r\nHost: {}\r\nUser-Agent: tidemark-bench/{}\r\n{}",
            base.authority(),
            env!("CARGO_PKG_VERSION"),
            base.key().map(ApiKey::field).unwrap_or_default(),
        );
        Self {
            base: base.clone(),
            common,
        }
    }

    /// `GET /healthcheck`.
    pub(super) fn health(&self) -> Prepared {
        let path = self.base.join(&["healthcheck"], None);
        self.request(Op::Health, "GET", path.path(), None, 0)
    }

    /// A request that names its own method and path, below the base's path. A body is JSON.
    pub(super) fn custom(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        points: u32,
    ) -> Prepared {
        let below = self.base.to_string();
        // A base is `http://authority` and, perhaps, a path.
        let prefix = below.splitn(4, '/').nth(3);
        let path = match prefix {
            Some(prefix) => format!("/{prefix}{path}"),
            None => path.to_owned(),
        };
        self.request(Op::Custom, method, &path, body, points)
    }

    /// A request about the series that is called `id`.
    pub(super) fn about(&self, op: Op, id: &str, body: &str, points: u32) -> Prepared {
        let path = self.base.join(&[step(op), id], None);
        self.request(op, "POST", path.path(), Some(body), points)
    }

    /// The head of requests about series that are called `name` with a number behind it.
    pub(super) fn series_head(&self, op: Op, name: &str) -> SeriesHead {
        let path = self.base.join(&[step(op), name], None);
        SeriesHead {
            op,
            before: format!("POST {}", path.path()),
            after: format!("{}{}", self.common, body_fields(op)),
        }
    }

    fn request(
        &self,
        op: Op,
        method: &str,
        path: &str,
        body: Option<&str>,
        points: u32,
    ) -> Prepared {
        let mut text = format!("{method} {path}{}", self.common);
        match body {
            Some(body) => {
                text.push_str(body_fields(op));
                text.push_str(&format!("{}\r\n\r\n{body}", body.len()));
            }
            None if matches!(method, "GET" | "DELETE" | "OPTIONS") => {
                text.push_str("Accept: application/json\r\n\r\n");
            }
            // RFC 9110, 8.6: of a method that foresees a body, its absence is said.
            None => text.push_str("Accept: application/json\r\nContent-Length: 0\r\n\r\n"),
        }
        Prepared {
            op,
            bytes: Bytes::from(text),
            points,
        }
    }
}

impl SeriesHead {
    /// The request about series `n` with this body.
    pub(super) fn request(&self, n: u64, body: &str, points: u32) -> Prepared {
        let Self { op, before, after } = self;
        let mut text = String::with_capacity(before.len() + after.len() + body.len() + 32);
        text.push_str(before);
        text.push_str(&n.to_string());
        text.push_str(after);
        text.push_str(&body.len().to_string());
        text.push_str("\r\n\r\n");
        text.push_str(body);
        Prepared {
            op: *op,
            bytes: Bytes::from(text),
            points,
        }
    }
}

/// The first step of the path.
fn step(op: Op) -> &'static str {
    match op {
        Op::Fit => "fit",
        Op::Predict | Op::Columns => "predict",
        Op::Ndjson | Op::Update => "update",
        Op::Health | Op::Custom => "healthcheck",
    }
}

/// The header fields of a request with a body, up to its length.
fn body_fields(op: Op) -> &'static str {
    match op {
        Op::Ndjson => {
            "Accept: application/x-ndjson, application/json\r\nContent-Type: application/x-ndjson\r\nContent-Length: "
        }
        Op::Fit | Op::Predict | Op::Columns | Op::Update | Op::Health | Op::Custom => {
            "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(prepared: &Prepared) -> String {
        String::from_utf8(prepared.bytes.to_vec()).unwrap()
    }

    fn wire(base: &str) -> Wire {
        Wire::new(&base.parse().unwrap())
    }

    #[test]
    fn a_request_is_what_rfc_9112_says() {
        let version = env!("CARGO_PKG_VERSION");
        let head = wire("http://127.0.0.1:8000").series_head(Op::Predict, "s_");
        assert_eq!(
            text(&head.request(17, "{}", 1)),
            format!(
                "POST /predict/s_17 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
                 User-Agent: tidemark-bench/{version}\r\nAccept: application/json\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            )
        );
        assert_eq!(
            text(&wire("http://127.0.0.1:8000").health()),
            format!(
                "GET /healthcheck HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
                 User-Agent: tidemark-bench/{version}\r\nAccept: application/json\r\n\r\n"
            )
        );
    }

    #[test]
    fn a_key_goes_with_every_request() {
        let base: BaseUrl = "http://h".parse().unwrap();
        let wire = Wire::new(&base.with_key(ApiKey::new("k".to_owned())));
        let head = wire.series_head(Op::Fit, "s_").request(1, "{}", 0);
        let custom = wire.custom("DELETE", "/x", None, 0);
        for made in [&head, &wire.health(), &custom] {
            let made = text(made);
            assert_eq!(
                made.matches("\r\nAuthorization: Bearer k\r\n").count(),
                1,
                "{made}"
            );
        }
    }

    #[test]
    fn both_ways_to_name_a_series_agree() {
        let wire = wire("http://h/p");
        for op in [Op::Fit, Op::Predict, Op::Columns, Op::Ndjson, Op::Update] {
            let numbered = wire.series_head(op, "s_").request(3, "[1]", 5);
            assert_eq!(wire.about(op, "s_3", "[1]", 5), numbered);
        }
    }

    #[test]
    fn hosts_ports_and_prefixes_are_kept() {
        let begins = |base: &str, start: &str| {
            let made = text(&wire(base).health());
            assert!(made.starts_with(start), "{made}");
        };
        begins("http://h", "GET /healthcheck HTTP/1.1\r\nHost: h:80\r\n");
        begins(
            "http://[::1]:81/api/v1/",
            "GET /api/v1/healthcheck HTTP/1.1\r\nHost: [::1]:81\r\n",
        );
        let custom = |base: &str| text(&wire(base).custom("PUT", "/x?y=1", None, 0));
        assert!(custom("http://h").starts_with("PUT /x?y=1 HTTP/1.1\r\n"));
        assert!(custom("http://h/").starts_with("PUT /x?y=1 HTTP/1.1\r\n"));
        assert!(custom("http://h/a/b/").starts_with("PUT /a/b/x?y=1 HTTP/1.1\r\n"));
    }

    #[test]
    fn an_id_is_one_step_of_the_path() {
        let made = text(&wire("http://h").about(Op::Fit, "a/b c\r\nX: y", "{}", 0));
        assert!(made.starts_with("POST /fit/a%2Fb%20c"), "{made}");
        assert!(!made.contains("\r\nX: y"));
    }
}
