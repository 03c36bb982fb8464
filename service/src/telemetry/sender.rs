//! Sends spans from a thread of its own. Serving never waits for it: a span that finds the queue full is
//! dropped and counted, as one is whose batch cannot be sent.
//!
//! The SDK's own batches do the same but do not tell how many they drop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use futures_executor::block_on;
use opentelemetry::Context;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

/// Spans that wait; about 1 KiB each.
const QUEUE: usize = 2_048;
const BATCH: usize = 512;
/// A span is sent after at most this long, if the collector keeps up.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// What became of spans.
#[derive(Debug, Default)]
pub struct SpanCounts {
    /// Taken by the collector.
    pub sent: AtomicU64,
    /// Lost: the queue was full, or the collector did not take them.
    pub dropped: AtomicU64,
}

enum Message {
    Span(Box<SpanData>),
    Stop,
}

/// The end of the queue to which spans go when they end.
#[derive(Debug)]
pub(super) struct QueuedSender {
    queue: Sender<Message>,
    counts: Arc<SpanCounts>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl QueuedSender {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(super) fn start(
        exporter: impl SpanExporter + 'static,
        counts: Arc<SpanCounts>,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = bounded(QUEUE);
        let counted = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name("tidemark-traces".into())
            .spawn(move || send_all(&exporter, &waiting, &counted))?;
        Ok(Self {
            queue,
            counts,
            thread: Mutex::new(Some(thread)),
        })
    }
}

impl SpanProcessor for QueuedSender {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.queue.try_send(Message::Span(Box::new(span))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        // Nobody asks for it but before the end, which sends what waits.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let end = Instant::now() + timeout;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handle) = thread.take() else {
            return Err(OTelSdkError::AlreadyShutdown);
        };
        let told = self.queue.send_timeout(Message::Stop, timeout);
        while told.is_ok() && !handle.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        if handle.is_finished() {
            Ok(())
        } else {
            // The thread ends with the process.
            Err(OTelSdkError::Timeout(timeout))
        }
    }
}

fn send_all(exporter: &impl SpanExporter, waiting: &Receiver<Message>, counts: &SpanCounts) {
    let mut is_failing = false;
    let mut is_stopped = false;
    while !is_stopped {
        let mut batch = Vec::new();
        // Sleeps until there is a span, and then gathers others for a while.
        let mut next = waiting.recv().map_err(|_| RecvTimeoutError::Disconnected);
        let end = Instant::now() + SENT_WITHIN;
        loop {
            match next {
                Ok(Message::Span(span)) => batch.push(*span),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => is_stopped = true,
                Err(RecvTimeoutError::Timeout) => break,
            }
            if is_stopped || batch.len() == BATCH {
                break;
            }
            next = waiting.recv_deadline(end);
        }
        if is_stopped {
            // What was queued behind the request to stop.
            batch.extend(waiting.try_iter().filter_map(|message| match message {
                Message::Span(span) => Some(*span),
                Message::Stop => None,
            }));
        }
        if !batch.is_empty() {
            is_failing = send(exporter, batch, counts, is_failing);
        }
    }
}

/// Whether it failed. Said in the log when that changes, not for every batch.
fn send(
    exporter: &impl SpanExporter,
    batch: Vec<SpanData>,
    counts: &SpanCounts,
    was_failing: bool,
) -> bool {
    let n = batch.len() as u64;
    match block_on(exporter.export(batch)) {
        Ok(()) => {
            counts.sent.fetch_add(n, Ordering::Relaxed);
            if was_failing {
                let dropped = counts.dropped.load(Ordering::Relaxed);
                tracing::info!(dropped, "traces are sent again");
            }
            false
        }
        Err(error) => {
            counts.dropped.fetch_add(n, Ordering::Relaxed);
            if !was_failing {
                tracing::warn!(%error, "traces cannot be sent and are dropped");
            }
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

    use super::*;

    /// A collector that takes a batch for each message, and none after that.
    #[derive(Debug)]
    struct Collector(Mutex<mpsc::Receiver<()>>);

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            assert!(batch.len() <= QUEUE + BATCH, "{}", batch.len());
            let turn = self.0.lock().unwrap().recv();
            turn.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
        }
    }

    fn start() -> (
        SdkTracerProvider,
        SdkTracer,
        Arc<SpanCounts>,
        mpsc::Sender<()>,
    ) {
        let (turns, waits) = mpsc::channel();
        let counts = Arc::new(SpanCounts::default());
        let collector = Collector(Mutex::new(waits));
        let sender = QueuedSender::start(collector, Arc::clone(&counts)).unwrap();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(sender)
            .build();
        let tracer = provider.tracer("test");
        (provider, tracer, counts, turns)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_ended_before_the_end_is_sent() {
        let (provider, tracer, counts, turns) = start();
        for _ in 0..BATCH + 7 {
            drop(tracer.start("span"));
        }
        // As many as there could be batches.
        for _ in 0..BATCH + 7 {
            turns.send(()).unwrap();
        }
        provider.shutdown_with_timeout(LONG).unwrap();
        assert_eq!(counts.sent.load(Ordering::Relaxed), (BATCH + 7) as u64);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_collector_that_hangs_holds_nobody_up_and_each_span_lost_is_counted() {
        let (provider, tracer, counts, turns) = start();
        const ENDED: usize = 2 * (QUEUE + BATCH);
        for _ in 0..ENDED {
            drop(tracer.start("span"));
        }
        // One batch at most was taken off the queue.
        let lost = counts.dropped.load(Ordering::Relaxed);
        assert!(lost >= (ENDED - QUEUE - BATCH) as u64, "{lost}");
        let hung = provider.shutdown_with_timeout(Duration::from_millis(50));
        assert!(hung.is_err(), "the end does not wait for it for ever");
        // From now on it refuses what it gets.
        drop(turns);
        let started = Instant::now();
        while counts.dropped.load(Ordering::Relaxed) < ENDED as u64 {
            assert!(started.elapsed() < LONG, "{counts:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(counts.dropped.load(Ordering::Relaxed), ENDED as u64);
        assert_eq!(counts.sent.load(Ordering::Relaxed), 0);
    }
}
