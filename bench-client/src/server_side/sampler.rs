//! The thread that looks at the server while it is loaded.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::MetricsSource;
use super::process::ProcessUse;
use super::timeline::{ServerSample, Writer};
use crate::chaos::Subject;
use crate::load::resources;

/// From one look to the next.
pub const EVERY: Duration = Duration::from_millis(250);

/// What looking cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sampling {
    /// Samples in `timeline.jsonl`.
    pub samples: u64,
    /// Looks at the metrics that got no reply.
    pub unanswered: u64,
    /// Processor time that the client took for it, in seconds.
    pub client_cpu_s: f64,
    /// That, by the time it went on and one processor.
    pub client_cpu_share: f64,
    /// The longest that one look took, in milliseconds.
    pub longest_ms: f64,
    /// Why `timeline.jsonl` ends early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// A thread that takes samples until it is [ended](Self::end).
pub(super) struct Sampler {
    /// Dropped to end it.
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<Sampling>>,
}

/// What is looked at.
pub(super) struct Watched {
    pub(super) subject: Arc<Subject>,
    pub(super) metrics: Option<Arc<MetricsSource>>,
}

impl Watched {
    pub(super) fn is_nothing(&self) -> bool {
        self.metrics.is_none() && matches!(*self.subject, Subject::Unknown)
    }
}

impl Sampler {
    /// Samples `watched` into the folder `out` on a time axis that begins at `start`.
    pub(super) fn start(watched: Watched, out: &Path, start: Instant) -> io::Result<Self> {
        let writer = Writer::create(out)?;
        let (over, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("server-side".to_owned())
            .spawn(move || sample(&watched, writer, start, &ended))?;
        Ok(Self {
            over: Some(over),
            thread: Some(thread),
        })
    }

    /// Ends it after one last look.
    pub(super) fn end(mut self) -> Sampling {
        self.stop().unwrap_or_default()
    }

    fn stop(&mut self) -> Option<Sampling> {
        drop(self.over.take());
        self.thread.take()?.join().ok()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

fn sample(watched: &Watched, mut writer: Writer, start: Instant, ended: &Receiver<()>) -> Sampling {
    let mut sampling = Sampling::default();
    let mut due = start;
    let mut over = false;
    while !over {
        let wait = due.saturating_duration_since(Instant::now());
        over = ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        let sample = look(watched, start, &mut sampling);
        if sampling.broken.is_none() {
            match writer.append(&sample) {
                Ok(()) => sampling.samples += 1,
                Err(error) => sampling.broken = Some(error.to_string()),
            }
        }
        // Looks that were missed, because one took long, are not made up for.
        while due <= Instant::now() {
            due += EVERY;
        }
    }
    sampling.client_cpu_s = resources::thread_cpu_time().as_secs_f64();
    sampling.client_cpu_share = sampling.client_cpu_s / start.elapsed().as_secs_f64().max(1e-9);
    sampling
}

fn look(watched: &Watched, start: Instant, sampling: &mut Sampling) -> ServerSample {
    let begun = Instant::now();
    let pid = watched.subject.pid().map(|pid| pid.as_raw_nonzero().get());
    let process = pid.and_then(|pid| ProcessUse::read(u32::try_from(pid).ok()?));
    let metrics = watched.metrics.as_ref().map(|source| source.read());
    sampling.unanswered += u64::from(matches!(metrics, Some(Err(_))));
    let took = begun.elapsed();
    sampling.longest_ms = sampling.longest_ms.max(took.as_secs_f64() * 1e3);
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    ServerSample {
        at_ns: ns(begun.saturating_duration_since(start)),
        took_ns: ns(took),
        process,
        metrics: metrics.and_then(Result::ok).map(|reading| reading.gauges),
    }
}
