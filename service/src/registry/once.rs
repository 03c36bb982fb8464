//! Requests that name themselves: answered once, however often they are sent.

use std::sync::Arc;

use bytes::Bytes;

use super::{Registry, RegistryError};
use crate::store::{BodyDigest, PutError, RequestKey};

/// What is known of a request before anything is done for it.
pub enum Asked {
    /// It was answered before, with this.
    Before(Vec<u8>),
    /// It was not, as far as can be told now: the store decides when it commits.
    Anew(BodyDigest),
}

impl Registry {
    /// Looks for the answer that was given under `key` of `series`. Saves the work of a request that
    /// is sent again; that no version is made twice, the commit sees to.
    ///
    /// # Errors
    /// When the key was used for another body, the record is damaged, or the store cannot be read.
    pub async fn asked(
        &self,
        series: &str,
        key: RequestKey,
        body: Bytes,
    ) -> Result<Asked, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let read = move || {
            let digest = BodyDigest::of(&body);
            match store.answered(&name, key)? {
                None => Ok(Asked::Anew(digest)),
                Some(kept) if kept.body == digest => {
                    Ok(Asked::Before(kept.answer.of_version(kept.version)))
                }
                Some(_) => Err(PutError::KeyReused.into()),
            }
        };
        self.reads.run(read).await
    }
}
