//! The bodies of replies: whole, or a line now and then.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pacing::Pacing;

/// The body of a reply.
pub(super) enum Reply {
    Whole(Option<Bytes>),
    Lines(Box<Lines>),
}

/// Lines, each some time after the one before it.
pub(super) struct Lines {
    lines: std::vec::IntoIter<Bytes>,
    every: Duration,
    next_at: Instant,
    timer: Pin<Box<Sleep>>,
    pacing: Arc<Pacing>,
    /// The stream is one of the requests that are handled at once until its end.
    _place: Option<OwnedSemaphorePermit>,
}

impl Lines {
    pub(super) fn new(
        lines: Vec<Bytes>,
        cost: Duration,
        pacing: Arc<Pacing>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let every = cost / u32::try_from(lines.len().max(1)).unwrap_or(u32::MAX);
        let next_at = Instant::now() + every;
        Self {
            lines: lines.into_iter(),
            every,
            next_at,
            timer: Box::pin(sleep_until(next_at)),
            pacing,
            _place: place,
        }
    }

    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.lines.as_slice().is_empty() {
            return Poll::Ready(None);
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            match self.pacing.stalled_until() {
                Some(end) => self.timer.as_mut().reset(end),
                None => break,
            }
        }
        // Counted from when the line was due, so that lateness does not add up.
        self.next_at += self.every;
        self.timer.as_mut().reset(self.next_at);
        Poll::Ready(self.lines.next())
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(whole) => whole.take(),
            Self::Lines(lines) => ready!(lines.poll_line(context)),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_none(),
            Self::Lines(lines) => lines.lines.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => {
                SizeHint::with_exact(whole.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Lines(_) => SizeHint::default(),
        }
    }
}
