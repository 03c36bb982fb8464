//! Reads of the store that requests wait for: on blocking threads, so many at a time, and of what
//! many ask for at once only one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use compact_str::CompactString;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{Semaphore, watch};

use super::{RegistryError, ServedModel};
use crate::store::{HANGS_AFTER, Store, StoreError};

/// Reads at a time. Each has a thread of a pool that everything else that blocks needs, too.
const READS_AT_ONCE: usize = 16;
/// Reads under way and waiting. More would not be read before their clients have gone.
const READS_AT_MOST: usize = 1_024;

/// The way to the store for whoever waits for an answer.
pub struct StoreReads {
    store: Arc<dyn Store>,
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    refused: AtomicU64,
}

impl StoreReads {
    /// Reads of `store`.
    #[must_use]
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            places: Arc::new(Semaphore::new(READS_AT_MOST)),
            threads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            refused: AtomicU64::new(0),
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
        self.check()?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            self.refused.fetch_add(1, Relaxed);
            RegistryError::TooManyReads
        })?;
        let thread = Arc::clone(&self.threads).acquire_owned();
        // Who began to wait before the reads hung does not wait until they end.
        let thread = match tokio::time::timeout(HANGS_AFTER, thread).await {
            Ok(thread) => thread.expect("nobody closes it"),
            Err(_) => {
                let reason = "reads do not end".into();
                return Err(StoreError::Unavailable(reason).into());
            }
        };
        self.check()?;
        let reading = tokio::task::spawn_blocking(move || {
            let read = read();
            drop((place, thread));
            read
        });
        reading.await.map_err(|_| RegistryError::WorkerLost)?
    }

    /// Those that were refused because too many waited.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Refuses while reads hang.
    fn check(&self) -> Result<(), StoreError> {
        let waits = self.store.waits();
        if waits.reads_hang() {
            let seconds = waits.read.as_secs();
            let reason = format!("a read has been going on for {seconds} s");
            return Err(StoreError::Unavailable(reason));
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What may happen to the flights of a few keys.
    #[derive(Clone, Debug)]
    enum Step {
        Board {
            key: u8,
            epoch: u64,
        },
        /// The reader of the flight that began as the n-th ends, well or with an error.
        Land {
            nth: usize,
        },
        /// Or is gone.
        Lose {
            nth: usize,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..3_u8, 0..3_u64).prop_map(|(key, epoch)| Step::Board { key, epoch }),
            2 => (0..20_usize).prop_map(|nth| Step::Land { nth }),
            1 => (0..20_usize).prop_map(|nth| Step::Lose { nth }),
        ];
        prop::collection::vec(step, 0..80)
    }

    /// An outcome that names its flight.
    fn outcome_of(flight: usize) -> Result<Arc<ServedModel>, RegistryError> {
        Err(RegistryError::UnknownSeries(flight.to_string()))
    }

    proptest! {
        /// Whoever boards waits for the newest flight of his key if it has his epoch and is under way, and
        /// for one of his own if not; all who wait hear of the end of theirs; nothing is left behind.
        #[test]
        fn who_waits_hears_of_the_flight_he_boarded(steps in steps()) {
            let flights = Arc::new(Flights::default());
            let mut readers: Vec<Option<Landing>> = Vec::new();
            let mut begun: Vec<(u8, u64)> = Vec::new();
            let mut newest: std::collections::HashMap<u8, usize> = std::collections::HashMap::new();
            let mut waiting: Vec<(usize, Waiting)> = Vec::new();
            let mut landed: Vec<usize> = Vec::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for step in steps {
                match step {
                    Step::Board { key, epoch } => {
                        let under_way = newest.get(&key).copied().filter(|flight| {
                            readers[*flight].is_some() && begun[*flight].1 == epoch
                        });
                        match (flights.board(key.to_string().into(), epoch), under_way) {
                            (Boarded::Waits(wait), Some(flight)) => waiting.push((flight, wait)),
                            (Boarded::Reads(landing, wait), None) => {
                                newest.insert(key, readers.len());
                                waiting.push((readers.len(), wait));
                                readers.push(Some(landing));
                                begun.push((key, epoch));
                            }
                            (Boarded::Waits(_), None) => prop_assert!(false, "nobody reads"),
                            (Boarded::Reads(..), Some(_)) => prop_assert!(false, "two read"),
                        }
                    }
                    Step::Land { nth } => {
                        if let Some(landing) = readers.get_mut(nth).and_then(Option::take) {
                            landing.land(outcome_of(nth));
                            landed.push(nth);
                        }
                    }
                    Step::Lose { nth } => drop(readers.get_mut(nth).and_then(Option::take)),
                }
            }
            for (nth, reader) in readers.into_iter().enumerate() {
                if let Some(landing) = reader {
                    landing.land(outcome_of(nth));
                    landed.push(nth);
                }
            }
            prop_assert!(flights.by_key.is_empty());
            for (flight, wait) in waiting {
                let told = runtime.block_on(wait.wait()).err().unwrap();
                let is_right = match told {
                    RegistryError::UnknownSeries(name) => name == flight.to_string(),
                    RegistryError::WorkerLost => !landed.contains(&flight),
                    _ => false,
                };
                prop_assert!(is_right, "flight {flight}");
            }
        }
    }
}
