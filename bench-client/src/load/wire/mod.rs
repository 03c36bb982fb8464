//! One keep-alive HTTP/1.1 connection at a time, with as little as possible between a request and
//! its clock: one write, one read, one reading of the clock each. A general HTTP client spends
//! more on a request than a fast server does ([decisions](../../../docs/decisions/load-client-wire.md)).

mod reply;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use self::reply::{Reply, ReplyError};
use super::response::OutcomeClass;

/// What fits most replies; longer ones are read in pieces of this size.
const READ_BYTES: usize = 16 * 1024;

/// How much of a reply that is no problem document a failure quotes.
const QUOTED_CHARS: usize = 200;

/// How one request went.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Before the first byte was written, or the connection was tried.
    pub(crate) sent: Instant,
    /// The first byte of the body was there, or of a stream the first line.
    pub(crate) first: Option<Instant>,
    /// The outcome was known.
    pub(crate) last: Instant,
    pub(crate) class: OutcomeClass,
    pub(crate) status: Option<u16>,
    pub(crate) bytes_in: u64,
    /// Line ends in the body.
    pub(crate) lines: u32,
    pub(crate) server_ns: Option<u64>,
    pub(crate) error: Option<Box<str>>,
    /// The body of a 2xx reply, if it is kept and no longer than that.
    pub(crate) body: Option<Vec<u8>>,
}

/// How a reply is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// The first byte of the body counts as its first part.
    Byte,
    /// The first whole line does.
    Line,
}

/// A place for a connection, which is opened when there is something to send.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    timeout: Duration,
    /// Bytes of a 2xx reply's body that are kept.
    keep: usize,
    /// Fires at the deadline of this exchange or of an earlier one: setting a timer anew for each
    /// request costs more than letting it fire early once a timeout.
    alarm: Pin<Box<Sleep>>,
}

#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    stream: Option<TcpStream>,
    input: BytesMut,
    opened: u64,
    lost: u64,
}

#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("cannot send: {0}")]
    Send(io::Error),
    #[error("cannot read the reply: {0}")]
    Read(io::Error),
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

/// What an exchange has found out so far; kept outside its future, which a timeout drops.
struct Progress {
    first: Option<Instant>,
    last: Instant,
    reply: Reply,
}

impl Connection {
    /// Opens nothing yet. Needs a runtime with a timer.
    pub(crate) fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self {
            socket: Socket {
                address,
                stream: None,
                input: BytesMut::with_capacity(READ_BYTES),
                opened: 0,
                lost: 0,
            },
            timeout,
            keep: 0,
            alarm: Box::pin(tokio::time::sleep(timeout)),
        }
    }

    /// Keeps bodies of 2xx replies, up to so many bytes.
    pub(crate) fn keeping(self, keep: usize) -> Self {
        Self { keep, ..self }
    }

    /// Connections opened, and how many were lost.
    pub(crate) fn opened(&self) -> (u64, u64) {
        (self.socket.opened, self.socket.lost)
    }

    /// Whether there is a connection now.
    pub(crate) fn is_open(&self) -> bool {
        self.socket.stream.is_some()
    }

    /// Opens the connection ahead of the first request, so that this is in no latency.
    pub(crate) async fn open(&mut self) -> io::Result<()> {
        match tokio::time::timeout(self.timeout, self.socket.open()).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Sends `request` and reads the whole reply, within the timeout.
    pub(crate) async fn exchange(&mut self, request: &[u8], first: First) -> Exchange {
        let sent = Instant::now();
        let mut progress = Progress {
            first: None,
            last: sent,
            reply: Reply::new(self.keep),
        };
        let attempt = self.socket.attempt(request, first, &mut progress);
        let outcome = before(&mut self.alarm, sent + self.timeout, attempt).await;
        let reply = progress.reply;
        let (class, error) = match outcome {
            Some(Ok(())) => {
                if !reply.keep_alive {
                    self.socket.stream = None;
                    self.socket.input.clear();
                }
                (OutcomeClass::of_status(reply.status), failure(&reply))
            }
            Some(Err(error)) => {
                self.socket.lose();
                progress.last = Instant::now();
                (OutcomeClass::Transport, Some(error.to_string().into()))
            }
            None => {
                self.socket.lose();
                progress.last = Instant::now();
                let error = format!("no whole reply within {:?}", self.timeout);
                (OutcomeClass::TimedOut, Some(error.into()))
            }
        };
        let whole = !matches!(class, OutcomeClass::TimedOut | OutcomeClass::Transport);
        let all_kept = class == OutcomeClass::Ok && reply.body.len() as u64 == reply.body_bytes;
        Exchange {
            sent,
            first: progress.first.filter(|_| whole),
            last: progress.last,
            class,
            status: whole.then_some(reply.status),
            bytes_in: reply.bytes,
            lines: reply.lines,
            server_ns: reply.server_ns.filter(|_| whole),
            error,
            body: (self.keep > 0 && all_kept).then_some(reply.body),
        }
    }
}

impl Socket {
    async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
            self.opened += 1;
        }
        Ok(())
    }

    async fn attempt(
        &mut self,
        request: &[u8],
        first: First,
        progress: &mut Progress,
    ) -> Result<(), ExchangeError> {
        self.drop_if_closed();
        self.open().await.map_err(ExchangeError::Connect)?;
        let Some(stream) = &mut self.stream else {
            return Err(ReplyError::ClosedBefore.into());
        };
        stream
            .write_all(request)
            .await
            .map_err(ExchangeError::Send)?;
        let (reply, input) = (&mut progress.reply, &mut self.input);
        loop {
            input.reserve(READ_BYTES);
            let read = stream.read_buf(input).await.map_err(ExchangeError::Read)?;
            progress.last = Instant::now();
            if read == 0 {
                reply.close()?;
            } else {
                reply.read(input)?;
            }
            let begun = match first {
                First::Byte => reply.body_bytes > 0,
                First::Line => reply.lines > 0,
            };
            if begun && progress.first.is_none() {
                progress.first = Some(progress.last);
            }
            if reply.is_whole() {
                // A reply without a body, or a stream without a line end, begins where it ends.
                progress.first.get_or_insert(progress.last);
                // Bytes that nobody asked for would be taken for the next reply.
                reply.keep_alive &= input.is_empty();
                return Ok(());
            }
        }
    }

    /// A server may close a connection that was idle for long: that is seen before sending, or
    /// the request would fail for no fault of its own. Costs no system call when nothing came.
    fn drop_if_closed(&mut self) {
        let Some(stream) = &self.stream else { return };
        match stream.try_read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.lost += u64::from(self.stream.take().is_some());
        self.input.clear();
    }
}

/// Runs `work` unless `deadline` comes first.
async fn before<T>(
    alarm: &mut Pin<Box<Sleep>>,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        while alarm.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(None);
            }
            alarm.as_mut().reset(deadline.into());
        }
        Poll::Pending
    })
    .await
}

/// A failure in one line: the status, and what the server said. Of a problem document (RFC 9457)
/// its code and detail, since its other members differ from reply to reply; of anything else the
/// beginning.
fn failure(reply: &Reply) -> Option<Box<str>> {
    if (200..300).contains(&reply.status) {
        return None;
    }
    let said = problem(&reply.preview).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(&reply.preview);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().take(QUOTED_CHARS).collect()
    });
    Some(match said.is_empty() {
        true => format!("HTTP {}", reply.status).into(),
        false => format!("HTTP {}: {said}", reply.status).into(),
    })
}

fn problem(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |member: &str| problem.get(member)?.as_str();
    let what = text("code").or(text("title"))?;
    Some(match text("detail") {
        Some(detail) => format!("{what}: {detail}"),
        None => what.to_owned(),
    })
}
