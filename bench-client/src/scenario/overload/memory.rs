//! O9: memory under an overload that lasts.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{GOOD_WITHIN, arriving, figures};
use crate::results::config::WorkloadSpec;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, ScenarioError, Subject, lasting, shape};
use crate::scenario::soak::{means, memory_grows, readings};

/// Windows that memory is averaged over: the first fills buffers.
const WINDOWS: u32 = 12;
/// Readings in a window.
const READINGS: u32 = 20;

/// Ten times the capacity for `time`, while the server's memory is read.
pub(super) fn bounded(
    context: &Context<'_>,
    subject: &Subject,
    (capacity, spec): (f64, &WorkloadSpec),
    time: Duration,
    outcome: &mut Outcome,
) -> Result<(), ScenarioError> {
    let window = time / WINDOWS;
    let (over, begun) = (AtomicBool::new(false), Instant::now());
    let mut load = shape(arriving(10.0 * capacity), lasting(time), GOOD_WITHIN);
    load.low_memory = true;
    let (data, memory) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| readings(subject.pid, window / READINGS, begun, &over));
        let data = context.load_with(&subject.base, "o9-10x", spec.clone(), load, Vec::new());
        over.store(true, Relaxed);
        let memory = reading
            .join()
            .unwrap_or_else(|it| std::panic::resume_unwind(it));
        (data, memory)
    });
    figures(outcome, "o9-10x", &data?.stats);
    let most = memory.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    outcome.figure("most resident memory (O9)", most / 1_048_576.0, "MiB");
    memory_grows(outcome, &means(&memory, window), subject.pid.is_some());
    Ok(())
}
