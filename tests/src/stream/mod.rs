//! Lines that are answered while more of them come: `POST /predict` of NDJSON.

mod ends;
mod many;
mod one;
pub(crate) mod talk;

use serde_json::Value;

use crate::reply::Reply;
use crate::server::Server;

impl Server {
    /// A POST of lines whose length is known.
    async fn predict_lines(&self, target: &str, body: impl Into<String>) -> Reply {
        let headers = [("content-type", "application/x-ndjson")];
        self.send("POST", target, &headers, body.into()).await
    }
}

/// The lines of a reply.
fn answers(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let lines = reply.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
