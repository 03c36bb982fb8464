//! The way of a record from the thread that measured it to the one that counts and writes it: in
//! batches, so that the measuring side pays a push.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendError, Sender, TrySendError};

use super::response::ResponseRecord;

/// Records that travel together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<ResponseRecord>,
    /// The body of each 2xx reply, where a run checks them; otherwise none at all.
    pub(super) bodies: Vec<Option<Vec<u8>>>,
}

pub(super) const BATCH: usize = 256;

/// Batches that may wait to be written when memory is bounded: 16,384 records, about 2 MiB.
const MOST_WAITING: usize = 64;

/// How long a record may wait for its batch to fill, so that a slow load is shown and saved too.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// The senders' and the collector's side. With `bounded`, senders wait when the collector cannot
/// keep up; without, what waits grows.
pub(super) fn channel(bounded: bool) -> (Sender<Batch>, Receiver<Batch>) {
    if bounded {
        crossbeam_channel::bounded(MOST_WAITING)
    } else {
        crossbeam_channel::unbounded()
    }
}

impl Batch {
    fn new() -> Self {
        Self {
            records: Vec::with_capacity(BATCH),
            bodies: Vec::new(),
        }
    }
}

/// One thread's side.
#[derive(Debug)]
pub(super) struct Recorder {
    batch: RefCell<Batch>,
    channel: Sender<Batch>,
    waited: Cell<Duration>,
}

impl Recorder {
    pub(super) fn new(channel: Sender<Batch>) -> Self {
        Self {
            batch: RefCell::new(Batch::new()),
            channel,
            waited: Cell::default(),
        }
    }

    /// Keeps a record, and the body in a run that checks it, and hands a full batch over.
    pub(super) fn record(&self, response: ResponseRecord, body: Option<Option<Vec<u8>>>) {
        let full = {
            let mut batch = self.batch.borrow_mut();
            batch.records.push(response);
            batch.bodies.extend(body);
            batch.records.len() >= BATCH
        };
        if full {
            self.flush();
        }
    }

    /// Hands over what there is.
    pub(super) fn flush(&self) {
        let batch = self.batch.replace(Batch::new());
        if batch.records.is_empty() {
            return;
        }
        // Without a collector there is nobody left to tell; the run is ending.
        let Err(TrySendError::Full(batch)) = self.channel.try_send(batch) else {
            return;
        };
        let begun = Instant::now();
        if let Err(SendError(_lost)) = self.channel.send(batch) {}
        self.waited.set(self.waited.get() + begun.elapsed());
    }

    /// How long this thread has waited for the collector.
    pub(super) fn waited(&self) -> Duration {
        self.waited.get()
    }
}
