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
}

impl Activity {
    pub(super) fn new(now: Instant) -> Rc<Self> {
        Rc::new(Self {
            working: Cell::new(0),
            awaited: Cell::new(Awaited::FirstByte),
            since: Cell::new(now),
        })
    }

    /// What is awaited, and since when; `None` while a request is worked on.
    pub(super) fn awaited(&self) -> Option<(Awaited, Instant)> {
        (self.working.get() == 0).then(|| (self.awaited.get(), self.since.get()))
    }

    /// Something was received: whether it begins a head after another request.
    pub(super) fn received(&self) -> bool {
        if self.working.get() > 0 {
            return false;
        }
        match self.awaited.get() {
            // A new connection has had its time since its begin.
            Awaited::FirstByte => self.awaited.set(Awaited::Head),
            Awaited::Head | Awaited::End => {}
            Awaited::Request => {
                self.awaited.set(Awaited::Head);
                self.since.set(Instant::now());
                return true;
            }
        }
        false
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
        if self.awaited.get() != Awaited::End {
            self.awaited.set(Awaited::Request);
        }
        self.since.set(Instant::now());
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
        assert!(!activity.received());
        assert_eq!(activity.awaited(), Some((Awaited::Head, opened)));
        activity.begin();
        let first = Working(Rc::clone(&activity));
        assert_eq!(activity.awaited(), None);
        assert!(!activity.received(), "a body is no head");
        drop(first);
        let (awaited, idle_since) = activity.awaited().unwrap();
        assert!(awaited == Awaited::Request && idle_since >= opened);
        assert!(activity.received());
        let (awaited, since) = activity.awaited().unwrap();
        assert!(awaited == Awaited::Head && since >= idle_since);
        assert!(!activity.received(), "later bytes buy no time");
        assert_eq!(activity.awaited(), Some((Awaited::Head, since)));
        activity.begin();
        let second = Working(Rc::clone(&activity));
        second.hang_up();
        drop(second);
        assert!(!activity.received(), "the rest of a body begins nothing");
        assert!(matches!(activity.awaited(), Some((Awaited::End, _))));
    }
}
