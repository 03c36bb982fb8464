//! Runs one after the other, with pauses, until one fails or a signal comes. What is finished is
//! kept before the next one starts.

use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt::Stop;
use crate::results::error::ResultsError;
use crate::results::summary::RunData;

/// How often a pause looks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a sequence ended early without a signal.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError<E> {
    /// A run could not be made.
    #[error(transparent)]
    Run(E),
    /// What was measured could not be kept.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

/// How a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// After the last run.
    Complete,
    /// By a signal, before or in a run.
    Interrupted,
}

/// Makes a run of each of `specs` and hands it to `keep`, also one that a signal cut short.
pub(crate) fn run_each<S, E>(
    specs: &[S],
    pause: Duration,
    stop: &Stop,
    mut run: impl FnMut(&S) -> Result<RunData, E>,
    mut keep: impl FnMut(&S, &RunData) -> Result<(), ResultsError>,
) -> Result<End, SequenceError<E>> {
    for (at, spec) in specs.iter().enumerate() {
        if at > 0 {
            wait(pause, stop);
        }
        if stop.is_set() {
            return Ok(End::Interrupted);
        }
        match run(spec) {
            Ok(data) => keep(spec, &data)?,
            // A signal before the first request leaves nothing to keep.
            Err(_) if stop.is_set() => return Ok(End::Interrupted),
            Err(error) => return Err(SequenceError::Run(error)),
        }
    }
    // One that came in the last run.
    Ok(if stop.is_set() {
        End::Interrupted
    } else {
        End::Complete
    })
}

fn wait(pause: Duration, stop: &Stop) {
    let begun = Instant::now();
    while !stop.is_set() {
        match pause.checked_sub(begun.elapsed()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(LOOK_EVERY)),
            _ => break,
        }
    }
}
