//! Reads of the store that requests wait for: on blocking threads, so many at a time, and of what
//! many ask for at once only one.

use std::sync::Arc;

use compact_str::CompactString;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{Semaphore, watch};

use super::{RegistryError, ServedModel};
use crate::store::{Store, StoreError};

/// Reads at a time. Each has a thread of a pool that everything else that blocks needs, too.
const READS_AT_ONCE: usize = 16;
/// Reads under way and waiting. More would not be read before their clients have gone.
const READS_AT_MOST: usize = 1_024;

/// The way to the store for whoever waits for an answer.
pub struct StoreReads {
    store: Arc<dyn Store>,
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

impl StoreReads {
    /// Reads of `store`.
    #[must_use]
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            places: Arc::new(Semaphore::new(READS_AT_MOST)),
            threads: Arc::new(Semaphore::new(READS_AT_ONCE)),
        }
    }

    /// Runs `read` where it may wait for the disk or for a lock. It runs to its end once it is
    /// begun, also when nobody waits for it any more.
    ///
    /// While reads of the store hang, no more are begun: each would hold a thread and a request until
    /// it recovers. Those that were begun show when it does.
    ///
    /// # Errors
    /// Those of `read`; when reads hang, or too many wait.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| RegistryError::TooManyReads)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.expect("nobody closes it");
        let waits = self.store.waits();
        if waits.reads_hang() {
            let seconds = waits.read.as_secs();
            let reason = format!("a read has been going on for {seconds} s");
            return Err(StoreError::Unavailable(reason).into());
        }
        let reading = tokio::task::spawn_blocking(move || {
            let read = read();
            drop((place, thread));
            read
        });
        reading.await.map_err(|_| RegistryError::WorkerLost)?
    }
}

type Outcome = Option<Result<Arc<ServedModel>, RegistryError>>;

/// The models that are being read.
#[derive(Default)]
pub(super) struct Flights {
    by_key: DashMap<CompactString, Flight, ahash::RandomState>,
}

#[derive(Clone)]
struct Flight {
    outcome: watch::Receiver<Outcome>,
    /// What the cache told when it began: a flight of another epoch may bring what is old by now.
    epoch: u64,
}

/// A flight as its one who reads sees it. Over when dropped, also by a panic.
pub(super) struct Landing {
    flights: Arc<Flights>,
    key: CompactString,
    outcome: watch::Sender<Outcome>,
}

/// How to come to a model that is not in memory.
pub(super) enum Boarded {
    /// By reading it, for all who come meanwhile.
    Reads(Landing, Waiting),
    /// By waiting for who reads it.
    Waits(Waiting),
}

/// The end of a flight, to be waited for.
pub(super) struct Waiting(watch::Receiver<Outcome>);

impl Flights {
    /// Joins the flight of `key` and `epoch` that is under way, or begins one.
    pub(super) fn board(self: &Arc<Self>, key: CompactString, epoch: u64) -> Boarded {
        let begin = || {
            let (sender, outcome) = watch::channel(None);
            let landing = Landing {
                flights: Arc::clone(self),
                key: key.clone(),
                outcome: sender,
            };
            (landing, Flight { outcome, epoch })
        };
        match self.by_key.entry(key.clone()) {
            Entry::Occupied(flight) if flight.get().epoch == epoch => {
                Boarded::Waits(Waiting(flight.get().outcome.clone()))
            }
            Entry::Occupied(mut older) => {
                let (landing, flight) = begin();
                let waiting = Waiting(flight.outcome.clone());
                older.insert(flight);
                Boarded::Reads(landing, waiting)
            }
            Entry::Vacant(none) => {
                let (landing, flight) = begin();
                let waiting = Waiting(flight.outcome.clone());
                none.insert(flight);
                Boarded::Reads(landing, waiting)
            }
        }
    }
}

impl Landing {
    /// Tells all who wait.
    pub(super) fn land(self, outcome: Result<Arc<ServedModel>, RegistryError>) {
        // Off the map first: who comes from here on finds the model in memory, or begins anew. What
        // went wrong is told to those who waited and not kept.
        self.leave();
        self.outcome.send_replace(Some(outcome));
    }

    fn leave(&self) {
        let is_this = |_: &CompactString, flight: &Flight| {
            flight.outcome.same_channel(&self.outcome.subscribe())
        };
        self.flights.by_key.remove_if(&self.key, is_this);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Waiting {
    /// The model, or why there is none.
    pub(super) async fn wait(mut self) -> Result<Arc<ServedModel>, RegistryError> {
        let outcome = self.0.wait_for(Option::is_some).await;
        let outcome = outcome.map_err(|_| RegistryError::WorkerLost)?;
        outcome.clone().unwrap_or(Err(RegistryError::WorkerLost))
    }
}
