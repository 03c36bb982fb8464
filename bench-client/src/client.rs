//! One keep-alive HTTP/1.1 client a phase, with nothing between it and the server that the
//! measurement does not mean: environment proxies ignored, Nagle's algorithm off, no redirects
//! followed, and as many idle connections kept as there are workers.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Request, StatusCode, redirect};
use serde::Serialize;

use crate::base_url::BaseUrl;

/// How much of a failed call's body is kept, in characters.
pub const PREVIEW_CHARS: usize = 500;

/// A connection pool to one server. Clones share the pool.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: BaseUrl,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A status and its whole body.
    Reply {
        /// The status code.
        status: StatusCode,
        /// When the server asks to be tried again, where it says so in seconds.
        retry_after: Option<Duration>,
        /// The body, read to its end.
        body: Bytes,
    },
    /// No connection, no reply in time, or a reply that broke off.
    NoReply {
        /// What went wrong, with every underlying reason.
        error: String,
    },
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ClientError(String);

impl Client {
    /// A client of its own pool, where a request may take `timeout` from its start to the end
    /// of the reply's body, and `pool` idle connections are kept.
    ///
    /// # Errors
    /// When the underlying client cannot be set up, for example without a resolver.
    pub fn new(base: &BaseUrl, pool: usize, timeout: Duration) -> Result<Self, ClientError> {
        let agent = concat!("tidemark-bench/", env!("CARGO_PKG_VERSION"));
        let key = base.key();
        let key = key.map(|key| (AUTHORIZATION, key.authorization()));
        let http = reqwest::Client::builder()
            .default_headers(key.into_iter().collect())
            .user_agent(agent)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .pool_max_idle_per_host(pool)
            .timeout(timeout)
            .build()
            .map_err(|error| ClientError(error_chain(&error)))?;
        Ok(Self {
            http,
            base: base.clone(),
        })
    }

    /// A complete `POST` of `body` as JSON, built ahead of sending, so that no serialization
    /// falls into a timed span. `path` is a row of unencoded segments.
    ///
    /// # Errors
    /// When `body` cannot be written as JSON.
    pub fn post_json(
        &self,
        path: &[&str],
        query: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Request, serde_json::Error> {
        let body = serde_json::to_vec(body)?;
        let mut request = Request::new(Method::POST, self.base.join(path, query));
        let json = reqwest::header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        *request.body_mut() = Some(body.into());
        Ok(request)
    }

    /// A request without a body. `path` is a row of unencoded segments.
    #[must_use]
    pub fn request(&self, method: Method, path: &[&str], query: Option<&str>) -> Request {
        Request::new(method, self.base.join(path, query))
    }

    /// A `GET` of `path`, a row of unencoded segments.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Request {
        Request::new(Method::GET, self.base.join(path, None))
    }

    /// Sends `request` and reads the whole reply. Never fails: a failure is an outcome.
    pub async fn send(&self, request: Request) -> Outcome {
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) => return Outcome::no_reply(error),
        };
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        match response.bytes().await {
            Ok(body) => Outcome::Reply {
                status,
                retry_after: seconds.map(Duration::from_secs),
                body,
            },
            Err(error) => Outcome::NoReply {
                error: format!("reply broke off after status {status}: {}", describe(error)),
            },
        }
    }
}

impl Outcome {
    fn no_reply(error: reqwest::Error) -> Self {
        Self::NoReply {
            error: describe(error),
        }
    }

    /// Whether this is the one success of the base contract, status 200.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Reply { status, .. } if *status == StatusCode::OK)
    }

    /// The status of a whole reply.
    #[must_use]
    pub fn status_code(&self) -> Option<u16> {
        match self {
            Self::Reply { status, .. } => Some(status.as_u16()),
            Self::NoReply { .. } => None,
        }
    }

    /// The first [`PREVIEW_CHARS`] characters of a failure's body.
    #[must_use]
    pub fn body_preview(&self) -> Option<String> {
        match self {
            Self::Reply { body, .. } if !self.is_ok() => Some(preview(body)),
            Self::Reply { .. } | Self::NoReply { .. } => None,
        }
    }

    /// Why this is not a success, in one line; `None` for a success.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Reply { status, .. } if *status == StatusCode::OK => None,
            Self::Reply { status, .. } => Some(format!("HTTP {status}")),
            Self::NoReply { error } => Some(error.clone()),
        }
    }
}

fn preview(body: &[u8]) -> String {
    // No character takes more than four bytes, so a huge error page is not decoded whole.
    let head = &body[..body.len().min(PREVIEW_CHARS * 4)];
    String::from_utf8_lossy(head)
        .chars()
        .take(PREVIEW_CHARS)
        .collect()
}

/// The URL is left out: it would make each of a hundred equal failures look different.
fn describe(error: reqwest::Error) -> String {
    error_chain(&error.without_url())
}

/// An error with its sources, since the outermost message (`error sending request`) says
/// nothing about why. A source that its parent already quotes is not repeated.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with `reply`, then closes it.
    async fn serve_once(reply: &'static str) -> BaseUrl {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(socket.read(&mut request).await.unwrap() > 0);
            socket.write_all(reply.as_bytes()).await.unwrap();
        });
        format!("http://{address}").parse().unwrap()
    }

    async fn get(base: &BaseUrl) -> Outcome {
        let client = Client::new(base, 1, Duration::from_secs(20)).unwrap();
        client.send(client.get(&["healthcheck"])).await
    }

    #[tokio::test]
    async fn a_whole_reply_is_an_outcome_whatever_its_status() {
        let base = serve_once("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").await;
        let outcome = get(&base).await;
        assert_eq!(outcome.failure().as_deref(), Some("HTTP 404 Not Found"));
        assert_eq!(
            outcome,
            Outcome::Reply {
                status: StatusCode::NOT_FOUND,
                retry_after: None,
                body: Bytes::from_static(b"no"),
            }
        );
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n";
        let outcome = get(&serve_once(redirect).await).await;
        assert_eq!(outcome.failure().as_deref(), Some("HTTP 302 Found"));
    }

    #[tokio::test]
    async fn a_reply_that_breaks_off_is_no_reply() {
        let base = serve_once("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
        let outcome = get(&base).await;
        assert!(!outcome.is_ok());
        let error = outcome.failure().unwrap();
        assert!(
            error.starts_with("reply broke off after status 200 OK: "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let base = format!("http://{address}").parse().unwrap();
        let error = get(&base).await.failure().unwrap();
        assert!(error.contains("Connection refused"), "{error}");
        assert!(!error.contains("http://"), "{error}");
    }

    #[test]
    fn previews_count_characters_not_bytes() {
        let long = "é".repeat(700);
        assert_eq!(preview(long.as_bytes()), "é".repeat(500));
        let cut_inside_a_character = "💥".repeat(501);
        assert_eq!(preview(cut_inside_a_character.as_bytes()), "💥".repeat(500));
        assert_eq!(preview(b"\xff"), "\u{fffd}");
    }
}
