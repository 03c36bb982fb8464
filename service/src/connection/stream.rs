//! A connection's bytes, in the clear or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// One type for both, so that there is one dispatcher.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Lets the system forget what is not taken for so long, once the connection is closed. While it is open, this
    /// would end it: the system does not count small windows as getting on.
    pub(super) fn offer_rest_for(&self, time: Duration) {
        #[cfg(target_os = "linux")]
        {
            // A socket that the peer has closed takes no options, and needs none.
            let _ = rustix::net::sockopt::set_tcp_user_timeout(
                self.socket(),
                u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
            );
        }
        #[cfg(not(target_os = "linux"))]
        let _ = time;
    }

    /// Lets the system forget what was not taken yet, when the connection is closed: otherwise it
    /// goes on to offer that.
    pub(super) fn forget_unsent(&self) {
        let none = Some(Duration::ZERO);
        if let Err(error) = rustix::net::sockopt::set_socket_linger(self.socket(), none) {
            tracing::debug!(%error, "a connection is closed with what it has not taken");
        }
    }
}

macro_rules! either {
    ($this:expr, $method:ident $(, $argument:expr)*) => {
        match $this.get_mut() {
            Self::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Self::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read, cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}
