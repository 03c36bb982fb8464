//! A connection that cannot hold its thread for ever: a stop, or a peer that does nothing, ends it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{LOOK_EVERY, READS_WITHIN};

/// A request has arrived by then.
const ASKS_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Peer<'a> {
    stream: &'a UnixStream,
    is_stopping: &'a AtomicBool,
    asks_until: Instant,
    reads_within: Duration,
}

impl<'a> Peer<'a> {
    pub(super) fn new(stream: &'a UnixStream, is_stopping: &'a AtomicBool) -> Self {
        Self {
            stream,
            is_stopping,
            asks_until: Instant::now() + ASKS_WITHIN,
            reads_within: READS_WITHIN,
        }
    }

    /// With another limit for a peer that reads nothing.
    pub(super) fn reads_within(mut self, limit: Duration) -> Self {
        self.reads_within = limit;
        self
    }

    /// Does `step` until it does something.
    fn until<T>(
        &self,
        end: Instant,
        late: &'static str,
        mut step: impl FnMut(&UnixStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            if self.is_stopping.load(Ordering::SeqCst) {
                return Err(io::Error::other("the server is stopping"));
            }
            match step(self.stream) {
                Err(error) if is_early(&error) => {}
                done => return done,
            }
            if Instant::now() > end {
                return Err(io::Error::new(io::ErrorKind::TimedOut, late));
            }
        }
    }
}

fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(LOOK_EVERY))?;
        self.until(self.asks_until, "it asked for nothing", |mut stream| {
            stream.read(buffer)
        })
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(LOOK_EVERY))?;
        let end = Instant::now() + self.reads_within;
        self.until(end, "it reads nothing", |mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
