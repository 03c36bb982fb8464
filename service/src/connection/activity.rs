//! What a connection waits for: its peer, or us.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use actix_web::HttpRequest;

/// What the peer is to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Anything at all: the connection is new.
    FirstByte,
    /// The rest of a head, of which something is here.
    Head,
    /// The next request, whenever it likes.
    Request,
    /// Its end of the connection: it was told that it was too slow.
    End,
}

/// The state of a connection that its socket and its handlers share. Both are on one thread.
///
/// What is here of a pipelined head when the request before it ends cannot be told from a connection
/// between two requests: its time begins with its next byte.
pub(super) struct Activity {
    /// Requests whose reply is being made.
    working: Cell<u32>,
    awaited: Cell<Awaited>,
    since: Cell<Instant>,
    /// Whether `since` is not known yet.
    is_undated: Cell<bool>,
    /// When the reply was made, as its handler knows.
    answered: Cell<Option<Instant>>,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            working: Cell::new(0),
            awaited: Cell::new(Awaited::FirstByte),
            since: Cell::new(now),
            is_undated: Cell::new(false),
            answered: Cell::new(None),
        })
    }

    /// What is awaited, and since when; `None` while a request is worked on. Who asks first about a head begins its time.
    pub(super) fn awaited(&self) -> Option<(Awaited, Instant)> {
        if self.working.get() > 0 {
            return None;
        }
        if self.is_undated.take() {
            self.since.set(Instant::now());
        }
        Some((self.awaited.get(), self.since.get()))
    }

    /// Something was received, which may begin a head after another request. Nearly always it is all of a head, which is
    /// no longer awaited when somebody asks: so the clock is not read here.
    pub(super) fn received(&self) {
        if self.working.get() > 0 {
            return;
        }
        match self.awaited.get() {
            // A new connection has had its time since its begin.
            Awaited::FirstByte => self.awaited.set(Awaited::Head),
            Awaited::Head | Awaited::End => {}
            Awaited::Request => {
                self.awaited.set(Awaited::Head);
                self.is_undated.set(true);
            }
        }
    }

    /// The reply is with the peer, which was slow to take it: only now it can be expected to go on.
    pub(super) fn reply_taken(&self, now: Instant) {
        self.since.set(now);
    }

    fn begin(&self) {
        self.working.set(self.working.get() + 1);
    }

    fn end(&self) {
        self.working.set(self.working.get() - 1);
        self.is_undated.set(false);
        if self.awaited.get() != Awaited::End {
            self.awaited.set(Awaited::Request);
        }
        // Most handlers have just read the clock.
        self.since
            .set(self.answered.take().unwrap_or_else(Instant::now));
    }
}

/// A request whose reply is being made, for as long as its connection waits for us and not for its peer.
pub(crate) struct Working(Rc<Activity>);

impl Working {
    /// On the connection of `request`; `None` where no socket is, as in unit tests.
    pub(crate) fn on(request: &HttpRequest) -> Option<Self> {
        let activity: &Rc<Activity> = request.conn_data()?;
        activity.begin();
        Some(Self(Rc::clone(activity)))
    }

    /// Notes that the reply was made at `now`, if it is now.
    pub(crate) fn answered_at(&self, now: Instant) {
        self.0.answered.set(Some(now));
    }

    /// Ends the connection soon after the reply, whatever is still sent of the request.
    pub(crate) fn hang_up(&self) {
        self.0.awaited.set(Awaited::End);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_its_time_from_its_first_byte_and_work_has_none() {
        let opened = Instant::now();
        let activity = Activity::new(opened);
        assert_eq!(activity.awaited(), Some((Awaited::FirstByte, opened)));
        activity.received();
        assert_eq!(activity.awaited(), Some((Awaited::Head, opened)));
        activity.begin();
        let first = Working(Rc::clone(&activity));
        assert_eq!(activity.awaited(), None);
        activity.received();
        let answered = Instant::now();
        first.answered_at(answered);
        drop(first);
        let idle = Some((Awaited::Request, answered));
        assert_eq!(activity.awaited(), idle, "a body is no head");
        activity.received();
        let asked = Instant::now();
        let (awaited, since) = activity.awaited().unwrap();
        assert!(awaited == Awaited::Head && since >= asked);
        activity.received();
        let later = activity.awaited();
        assert_eq!(
            later,
            Some((Awaited::Head, since)),
            "later bytes buy no time"
        );
        activity.begin();
        let second = Working(Rc::clone(&activity));
        second.hang_up();
        drop(second);
        let (awaited, told) = activity.awaited().unwrap();
        assert!(awaited == Awaited::End && told >= since);
        activity.received();
        let rest = activity.awaited();
        assert_eq!(
            rest,
            Some((Awaited::End, told)),
            "the rest of a body begins nothing"
        );
    }
}
