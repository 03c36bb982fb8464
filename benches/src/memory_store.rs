//! A store that forgets: what a fit costs without one.

use compact_str::CompactString;
use service::store::{
    AliasCompletion, AliasError, AliasPut, AliasRecord, Completion, DeleteCompletion, DeleteError,
    DeleteListener, DeletePut, Found, Head, KeptAnswer, Put, RequestKey, StateCompletion, StatePut,
    Store, StoreError, Stored, StoredState, VersionSelector, Waits,
};

/// Completes every put at once as version 1 and keeps nothing.
pub struct MemoryStore;

impl Store for MemoryStore {
    fn submit(&self, _: Put, done: Completion) {
        done(Ok(Stored::New {
            version: 1,
            alias: None,
        }));
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

    fn submit_alias(&self, _: AliasPut, done: AliasCompletion) {
        done(Err(AliasError::NoSuchSeries));
    }

    fn alias(&self, _: &str, _: &str) -> Result<Option<AliasRecord>, StoreError> {
        Ok(None)
    }

    fn aliases(&self, _: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        Ok(Vec::new())
    }

    fn submit_delete(&self, _: DeletePut, done: DeleteCompletion) {
        done(Err(DeleteError::NoSuchSeries));
    }

    fn on_delete(&self, _: DeleteListener) {}

    fn head(&self, _: &str) -> Result<Head, StoreError> {
        Ok(Head::default())
    }

    fn answered(&self, _: &str, _: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
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
