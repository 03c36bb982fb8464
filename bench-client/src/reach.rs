//! Whether a server is there at all, asked before anything is measured.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::base_url::BaseUrl;

const REACH_WITHIN: Duration = Duration::from_secs(5);

/// Nothing accepts connections at the base URL.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {url}: {reason} (is the server running, and is this its address?)")]
pub struct Unreachable {
    /// The base URL.
    pub url: String,
    /// The operating system's or the resolver's reason.
    pub reason: String,
}

/// Opens and closes one TCP connection, so that a wrong address is one sentence at once and not
/// a hundred failed calls. Gives the address that accepted it.
///
/// # Errors
/// When nothing accepts it within five seconds.
pub async fn reach(base: &BaseUrl) -> Result<SocketAddr, Unreachable> {
    let unreachable = |reason: String| Unreachable {
        url: base.to_string(),
        reason,
    };
    match timeout(REACH_WITHIN, TcpStream::connect(base.authority())).await {
        Ok(connected) => connected
            .and_then(|connection| connection.peer_addr())
            .map_err(|error| unreachable(error.to_string())),
        Err(_elapsed) => Err(unreachable(format!(
            "no connection within {} s",
            REACH_WITHIN.as_secs()
        ))),
    }
}
