//! A store that forgets: what a fit costs without one.

use service::store::{
    Completion, Found, Put, StateCompletion, StatePut, Store, StoreError, StoredState,
    VersionSelector, Waits,
};

/// Completes every put at once as version 1 and keeps nothing.
pub struct MemoryStore;

impl Store for MemoryStore {
    fn submit(&self, _: Put, done: Completion) {
        done(Ok(1));
    }

    fn version(&self, _: &str, _: VersionSelector) -> Result<Found, StoreError> {
        Ok(Found::NoSuchSeries)
    }

    fn training(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn submit_state(&self, _: StatePut, done: StateCompletion) {
        done(Ok(()));
    }

    fn state(&self, _: &str) -> Result<Option<StoredState>, StoreError> {
        Ok(None)
    }

    fn series_count(&self) -> u64 {
        0
    }

    fn refusal(&self) -> Option<String> {
        None
    }

    fn waits(&self) -> Waits {
        Waits::default()
    }

    fn close(&self) {}
}
