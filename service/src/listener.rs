//! The socket of the main port, which the server can close before it stops serving.
//!
//! The framework closes the listener, the connections that wait to be accepted and those whose request
//! has not been read in one step: whoever connected just before gets no reply. With the listener
//! closed first, clients are refused before they have sent anything, and what was accepted is read.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use rustix::net::Shutdown;

/// Connections the kernel keeps for us while all workers are busy.
const BACKLOG: i32 = 4_096;
/// For the framework's thread that accepts to let go of the socket. Connections of this moment
/// are lost, so it is short.
const LET_GO: Duration = Duration::from_micros(100);

/// A listening socket.
pub(crate) struct Listener(TcpListener);

impl Listener {
    /// Listens on `addr`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(addr)?;
        // Again, with more room than the standard library asks for.
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self(socket))
    }

    /// The address listened on; the port is the one the system gave if 0 was asked for.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The same socket for the framework.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub(crate) fn share(&self) -> io::Result<TcpListener> {
        self.0.try_clone()
    }

    /// Refuses new connections; those that were accepted go on.
    pub(crate) async fn close(&self, server: &ServerHandle) {
        server.pause().await;
        std::thread::sleep(LET_GO);
        if let Err(error) = rustix::net::shutdown(&self.0, Shutdown::Both) {
            tracing::warn!(%error, "the listener cannot be closed before the end");
        }
    }
}
