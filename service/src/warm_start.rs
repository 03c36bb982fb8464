//! The names of the models in memory, kept from an orderly stop to the next start (`--warm-start`).
//!
//! They are read back beside the requests, when the server is ready already: one read at a time, on a
//! thread that gives way to all others. A list that is missing, old or damaged costs first look-ups
//! and nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::registry::{Registry, warm};
use crate::startup::State;

/// The least of a core that there is.
const NICENESS: i32 = 19;
/// After so much work, as long a rest, for the disk's sake.
const STRETCH: Duration = Duration::from_millis(5);

/// Reading back what the list names, and where it is kept.
pub(crate) struct WarmStart {
    path: PathBuf,
    /// Tells whether it came to its end.
    thread: JoinHandle<bool>,
}

impl WarmStart {
    /// Begins to read back, on a thread of its own.
    ///
    /// # Errors
    /// When there is no thread.
    pub(crate) fn begin(data_dir: &Path, state: &Arc<State>) -> io::Result<Self> {
        let path = data_dir.join("warm");
        let (list, state) = (path.clone(), Arc::clone(state));
        let thread = std::thread::Builder::new()
            .name("tidemark-warm".into())
            .spawn(move || match std::fs::read(&list) {
                Ok(bytes) => read_back(&bytes, &state),
                Err(error) => {
                    if error.kind() != io::ErrorKind::NotFound {
                        tracing::warn!(%error, "the list of models is not read");
                    }
                    true
                }
            })?;
        Ok(Self { path, thread })
    }

    /// Ends the reading of a server that is draining, and notes what is in memory now. If the
    /// reading was cut short, the old list is the better guess, and stays. Blocks.
    pub(crate) fn end(self, registry: &Registry) {
        if !self.thread.join().unwrap_or(false) {
            return;
        }
        let models = registry.in_memory();
        let unfinished = self.path.with_extension("new");
        // Not synced: a crash may cost the list.
        let written = std::fs::write(&unfinished, warm::seal(&models))
            .and_then(|()| std::fs::rename(&unfinished, &self.path));
        match written {
            Ok(()) => tracing::info!(models = models.len(), "noted which models are in memory"),
            Err(error) => tracing::warn!(%error, "it is not noted which models are in memory"),
        }
    }
}

/// Whether it came to the end of the list.
fn read_back(bytes: &[u8], state: &State) -> bool {
    let models = match warm::open(bytes) {
        Ok(models) => models,
        Err(reason) => {
            tracing::warn!(reason, "the list of models is damaged and ignored");
            return true;
        }
    };
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "reading models ahead keeps its priority");
    }
    let Ok(registry) = state.registry() else {
        return false;
    };
    let begun = Instant::now();
    let (mut rested, mut n_read) = (begun, 0);
    for model in &models {
        if state.is_draining() || registry.store_hangs() {
            return false;
        }
        n_read += usize::from(registry.warm(model));
        let worked = rested.elapsed();
        if worked >= STRETCH {
            std::thread::sleep(worked);
            rested = Instant::now();
        }
    }
    tracing::info!(
        models = n_read,
        of = models.len(),
        seconds = begun.elapsed().as_secs_f64(),
        "models of the last run are back in memory"
    );
    true
}
