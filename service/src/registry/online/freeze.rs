//! Freezes an online state into a version.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::OnlineStates;
use super::live::Live;
use crate::registry::RegistryError;
use crate::registry::fit::Fitting;
use crate::store::Metadata;
use crate::store::training::TrainingPoints;

/// A version on its way to the store and the number of points its state had learnt.
pub struct Frozen {
    /// The version.
    pub fitting: Fitting,
    /// Points learnt by updates.
    pub state_seq: u64,
}

impl OnlineStates {
    /// The state of `series` as it is now, ready to be stored as a version. All that it has learnt is
    /// queued before the version is, so that no version is durable before its points.
    ///
    /// # Errors
    /// When the series has no state, the state has learnt nothing, or the store cannot be read.
    pub async fn freeze(self: &Arc<Self>, series: &str) -> Result<Frozen, RegistryError> {
        let frozen = self.look(series, freeze).await?;
        frozen.ok_or_else(|| RegistryError::NothingLearnt(series.to_owned()))
    }
}

/// A version of a state that knows a point.
fn freeze(live: &Live, life: u64) -> Option<Frozen> {
    let (trained_from, trained_to) = (live.learnt_from?, live.online.last_timestamp()?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut fitting = Fitting::seal(
        live.online.freeze(),
        i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX),
        usize::try_from(live.online.learnt()).unwrap_or(usize::MAX),
        (trained_from, trained_to),
        // Of the points, the state has kept what it has learnt from them.
        &TrainingPoints::default(),
        Metadata::default(),
    );
    fitting.life = Some(life);
    Some(Frozen {
        fitting,
        state_seq: live.seq,
    })
}
