//! The framework's server on guarded sockets: what its own `HttpServer` puts together, which takes no
//! sockets but its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Handler, Server, fn_service};
use actix_web::web::{self, Data};
use actix_web::{App, FromRequest, Responder};
use rustix::net::sockopt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::guard::GuardedIo;
use super::stream::Stream;
use super::tls::Tls;
use super::{LINGER, Limits, PATIENCE, Peers, UNSENT_BYTES};
use crate::metrics::{Closed, Connections};
use crate::startup::State;

/// What a peer is told that has too many connections.
const PEER_LIMIT: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How to serve.
pub(crate) struct Serving {
    /// Threads.
    pub(crate) workers: usize,
    /// Connections of all of them; others wait to be accepted.
    pub(crate) max_connections: usize,
    /// For how long requests in flight may go on after a request to stop.
    pub(crate) shutdown_timeout: Duration,
    /// What a connection may take.
    pub(crate) limits: Limits,
    /// Where connections are counted.
    pub(crate) connections: Connections,
    /// What a peer may have.
    pub(crate) peers: Arc<Peers>,
    /// Certificates, unless it is served in the clear.
    pub(crate) tls: Option<Tls>,
}

/// Answers every request on `listener` with `handler`, from now on.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn serve<H, Args>(
    listener: TcpListener,
    serving: Serving,
    state: Data<State>,
    handler: H,
) -> io::Result<Server>
where
    H: Handler<Args> + Send,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    set_options(&listener)?;
    let addr = listener.local_addr()?;
    let builder = Server::build()
        .workers(serving.workers)
        .max_concurrent_connections(serving.max_connections.div_ceil(serving.workers))
        .shutdown_timeout(serving.shutdown_timeout.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let accepting = Accepting {
        limits: serving.limits,
        connections: serving.connections,
        peers: serving.peers,
        tls: serving.tls,
    };
    let is_secure = accepting.tls.is_some();
    let factory = move || {
        let app = App::new()
            .app_data(state.clone())
            .default_service(web::to(handler.clone()));
        let app = map_config(app.into_factory(), |()| AppConfig::default());
        let stopping = stopping.clone();
        let mut http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // The socket keeps all times, those of a head and of a kept connection, too.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            // Who closes the connection has gone: its request is dropped, and not served to nobody.
            .h1_allow_half_closed(false)
            .local_addr(addr)
            .on_connect_ext(|io: &GuardedIo, data| {
                data.insert(io.activity());
            });
        if is_secure {
            http = http.secure();
        }
        let accepting = Rc::new(accepting.clone());
        fn_service(move |socket: TcpStream| {
            let accepting = Rc::clone(&accepting);
            async move { accepting.accept(socket).await }
        })
        .and_then(http.finish(app))
    };
    Ok(builder.listen("tidemark", listener, factory)?.run())
}

/// Options of the listening socket, which those that it accepts inherit.
fn set_options(listener: &TcpListener) -> io::Result<()> {
    // A streamed reply ends in a small write, which would wait 40 ms for the client's delayed
    // acknowledgement of the one before (RFC 896 meets RFC 1122, 4.2.3.2).
    sockopt::set_tcp_nodelay(listener, true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(())
}

/// What becomes of a new connection.
#[derive(Clone)]
struct Accepting {
    limits: Limits,
    connections: Connections,
    peers: Arc<Peers>,
    tls: Option<Tls>,
}

impl Accepting {
    async fn accept(
        &self,
        mut socket: TcpStream,
    ) -> Result<(GuardedIo, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = socket.peer_addr()?;
        let counted = self.connections.open();
        let Ok(slot) = self.peers.open(peer.ip()) else {
            counted.closed(Closed::PeerLimit);
            if self.tls.is_none() {
                // A new connection has room for it; who does not read it learns it from the end.
                let told = tokio::time::timeout(LINGER, socket.write_all(PEER_LIMIT));
                let _ = Box::pin(told).await;
            }
            return Err(io::Error::other("the peer has too many connections").into());
        };
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            // In a box: otherwise each connection would keep the room that a handshake takes.
            Some(tls) => Box::pin(shaken(tls, socket)).await.inspect_err(|error| {
                counted.closed(Closed::Handshake);
                tracing::debug!(%error, "no TLS session");
            })?,
        };
        let io = GuardedIo::new(stream, self.limits, counted, slot);
        Ok((io, Protocol::Http1, Some(peer)))
    }
}

async fn shaken(tls: &Tls, socket: TcpStream) -> io::Result<Stream> {
    let shaken = tokio::time::timeout(PATIENCE, tls.accept(socket)).await;
    let stream = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(Stream::Tls(Box::new(stream)))
}
