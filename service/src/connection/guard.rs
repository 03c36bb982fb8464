//! A socket that ends itself when its peer does not get on.
//!
//! One timer a connection. It is set early rather than late and moved only when it fires, so that a
//! request whose head comes at once reads no clock and moves no timer here.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use super::activity::{Activity, Awaited};
use super::framing::Framing;
use super::peers::Slot;
use super::stream::Stream;
use super::{LINGER, Limits, Pace, UNSEEN_BYTES};
use crate::metrics::{Closed, Connection};

/// What a peer is told whose head has not come in time.
const HEAD_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The system goes on to offer what it has of a reply when the connection is closed, and would for ever. So long is
/// enough for what it may have, at 1 KiB a second.
const REST_WITHIN: Duration = Duration::from_secs(20);

/// A connection, for as long as its peer gets on.
pub(super) struct GuardedIo {
    stream: Stream,
    limits: Limits,
    activity: Rc<Activity>,
    framing: Framing,
    /// Since the peer takes less than we have for it.
    reply: Option<Pace>,
    /// Never later than the end of any limit.
    timer: Pin<Box<Sleep>>,
    /// Whom it wakes. It has not to be asked again until it has fired.
    woken: Option<Waker>,
    counted: Connection,
    /// By its peer, by us, or in order. The framework drops a connection before that only for what came on it.
    is_ended: bool,
    _slot: Option<Slot>,
}

impl GuardedIo {
    pub(super) fn new(
        stream: Stream,
        limits: Limits,
        counted: Connection,
        slot: Option<Slot>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            limits,
            activity: Activity::new(now),
            framing: Framing::default(),
            reply: None,
            timer: Box::pin(sleep_until((now + limits.shortest()).into())),
            woken: None,
            counted,
            is_ended: false,
            _slot: slot,
        }
    }

    /// What its handlers share.
    pub(super) fn activity(&self) -> Rc<Activity> {
        Rc::clone(&self.activity)
    }

    /// Ends the connection if a limit has passed; otherwise the task is woken in time to look again.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_set = |waker: &Waker| waker.will_wake(cx.waker());
        if self.woken.as_ref().is_some_and(is_set) && !self.timer.is_elapsed() {
            return Ok(());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match self.due(now) {
                (due, why) if due <= now => return Err(self.cut(cx, why)),
                (due, _) => self.timer.as_mut().reset(due.into()),
            }
        }
        self.woken = Some(cx.waker().clone());
        Ok(())
    }

    /// When the connection ends if nothing happens, and why it would; nobody has to be told why if the reply has.
    fn due(&self, now: Instant) -> (Instant, Option<Closed>) {
        if let Some(reply) = &self.reply {
            return (reply.deadline(self.limits.reply), Some(Closed::SlowReader));
        }
        match self.activity.awaited() {
            None => (now + self.limits.shortest(), None),
            Some((Awaited::FirstByte, since)) => (since + self.limits.head, Some(Closed::Idle)),
            Some((Awaited::Head, since)) => (since + self.limits.head, Some(Closed::SlowHead)),
            Some((Awaited::Request, since)) => (since + self.limits.idle, Some(Closed::Idle)),
            Some((Awaited::End, since)) => (since + LINGER, None),
        }
    }

    fn cut(&mut self, cx: &mut Context<'_>, why: Option<Closed>) -> io::Error {
        self.is_ended = true;
        if let Some(why) = why {
            self.counted.closed(why);
        }
        match why {
            Some(Closed::SlowReader) => self.stream.forget_unsent(),
            Some(Closed::SlowHead) => {
                // There is room for it, or the peer is told nothing: nobody waits for it any more.
                let told = Pin::new(&mut self.stream).poll_write(cx, HEAD_TIMEOUT);
                if let Poll::Ready(Ok(_)) = told {
                    let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
                }
            }
            _ => {}
        }
        io::Error::new(
            io::ErrorKind::TimedOut,
            why.map_or("slow_body", Closed::reason),
        )
    }

    fn fire_by(&mut self, due: Instant) {
        if self.timer.deadline() > due.into() {
            self.timer.as_mut().reset(due.into());
        }
    }

    /// The peer takes no more for now.
    fn blocked(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.reply.is_none() {
            let now = Instant::now();
            self.reply = Some(Pace::begin_with(UNSEEN_BYTES, now));
            self.fire_by(now + self.limits.reply);
        }
        self.check(cx)
    }
}

impl Drop for GuardedIo {
    fn drop(&mut self) {
        // A handler that is dropped with it was told of nothing: the server stops.
        if !self.is_ended && self.activity.awaited().is_some() {
            self.counted.closed(Closed::Malformed);
        }
        self.stream.offer_rest_for(REST_WITHIN);
    }
}

impl AsyncRead for GuardedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                this.framing.pass(&mut buf.filled_mut()[before..]);
                this.activity.received();
            }
            // The framework shuts down what the peer has ended.
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => this.is_ended = true,
            Poll::Pending => this.check(cx)?,
        }
        read
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        match &written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(reply) = &mut this.reply {
                    reply.moved(*bytes, Instant::now());
                }
            }
            Poll::Ready(Err(_)) => this.is_ended = true,
            Poll::Pending => this.blocked(cx)?,
        }
        written
    }

    /// Called once all that there is was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => {
                if this.reply.take().is_some() {
                    this.activity.reply_taken(Instant::now());
                }
                match this.activity.awaited() {
                    // A peer that always has more of a body that nobody reads never lets a read wait.
                    Some((Awaited::Head, since)) => {
                        this.fire_by(since + this.limits.head);
                        this.check(cx)?;
                    }
                    Some((Awaited::End, since)) => {
                        this.fire_by(since + LINGER);
                        this.check(cx)?;
                    }
                    _ => {}
                }
            }
            Poll::Ready(Err(_)) => this.is_ended = true,
            Poll::Pending => this.blocked(cx)?,
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.is_ended = true;
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        if shut.is_pending() {
            this.blocked(cx)?;
        }
        shut
    }
}
