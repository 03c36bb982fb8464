//! The other end of the records' way: one thread that writes each response down, counts it, and
//! shows the run while it goes on.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::hooks::Hook;
use super::recorder::Batch;
use super::watch::Watching;
use crate::interrupt::StopHandle;
use crate::live::REDRAW_EVERY;
use crate::results::error::ResultsError;
use crate::results::folder::FolderWriter;
use crate::tally::Tally;

/// How often what is there is shown, and given to the operating system: no more than this is lost
/// when the client is killed.
const TICK: Duration = REDRAW_EVERY;

/// What collecting needs.
pub(super) struct Collector<'a, 'w> {
    pub(super) records: &'a Receiver<Batch>,
    pub(super) folder: &'a mut FolderWriter,
    pub(super) tally: &'a mut Tally,
    pub(super) hooks: &'a [Box<dyn Hook>],
    /// Who checks what was written down.
    pub(super) check: Option<Sender<Batch>>,
    /// Stops the run when its folder cannot be written: a measurement that leaves no results is
    /// none.
    pub(super) broken: &'a StopHandle,
    pub(super) watching: &'a mut Watching<'w>,
}

impl Collector<'_, '_> {
    /// Takes all records until their senders are gone.
    pub(super) fn run(mut self) -> Result<(), ResultsError> {
        let mut outcome = Ok(());
        let mut tick = Instant::now() + TICK;
        loop {
            match self.records.recv_deadline(tick) {
                Ok(batch) => {
                    self.count(&batch);
                    if outcome.is_ok() {
                        outcome = self.folder.append(&batch.records);
                    }
                    if let Some(check) = &self.check {
                        // It ends after its senders alone, so that this cannot fail.
                        let _ = check.send(batch);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= tick {
                if outcome.is_ok() {
                    outcome = self.folder.flush();
                }
                self.watching.tick(self.tally, self.records.len());
                // Ticks that were missed are not made up for.
                tick = Instant::now() + TICK;
            }
            if outcome.is_err() {
                self.broken.stop();
            }
        }
        outcome.and_then(|()| self.folder.flush())
    }

    fn count(&mut self, batch: &Batch) {
        for response in &batch.records {
            self.tally.add(response);
            for hook in self.hooks {
                hook.after_response(response);
            }
        }
    }
}
