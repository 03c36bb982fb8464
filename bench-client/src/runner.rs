//! The burst: all calls are started at once, a semaphore lets `workers` of them be on the wire.
//!
//! Two latencies come out of it. `delta_ms` begins after the semaphore, as the notebook
//! measures; `since_intended_ms` begins with the burst, which is when every one of its calls was
//! meant to start. The first leaves out the time a call waits behind slow ones in the client's
//! own queue, the effect known as coordinated omission.

use std::panic;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Request;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::client::Client;
use crate::clock::Clock;
use crate::interrupt::Stop;
use crate::record::{CallRecord, Moments};

/// One call that is ready to be sent.
#[derive(Debug)]
pub struct Job {
    /// Position of the call in its phase, from 0.
    pub call_index: usize,
    /// The series it is about.
    pub series_id: String,
    /// The complete request.
    pub request: Request,
}

/// What a burst left behind.
#[derive(Debug)]
pub struct Burst {
    /// One record a finished call, in the order of `call_index`.
    pub records: Vec<CallRecord>,
    /// From the burst's start to the last outcome.
    pub wall: Duration,
}

/// Sends all `jobs`, at most `workers` (at least 1) at a time. When `stop` is set, calls in
/// flight are dropped and those not yet sent never are; neither leaves a record.
pub async fn burst(client: &Client, jobs: Vec<Job>, workers: usize, stop: &Stop) -> Burst {
    let permits = Arc::new(Semaphore::new(workers.max(1)));
    let mut records = Vec::with_capacity(jobs.len());
    let mut tasks = JoinSet::new();
    let clock = Clock::start();
    for job in jobs {
        tasks.spawn(one_call(client.clone(), job, Arc::clone(&permits), clock));
    }
    loop {
        tokio::select! {
            biased;
            finished = tasks.join_next() => match finished {
                Some(outcome) => records.extend(unless_cancelled(outcome)),
                None => break,
            },
            () = stop.wait(), if !permits.is_closed() => {
                permits.close();
                tasks.abort_all();
            }
        }
    }
    let wall = clock.origin().elapsed();
    records.sort_unstable_by_key(|record: &CallRecord| record.call_index);
    Burst { records, wall }
}

/// `None` when the burst was stopped before it was this call's turn.
async fn one_call(
    client: Client,
    job: Job,
    permits: Arc<Semaphore>,
    clock: Clock,
) -> Option<CallRecord> {
    let _permit = permits.acquire().await.ok()?;
    let start = Instant::now();
    let outcome = client.send(job.request).await;
    let moments = Moments {
        intended: clock.origin(),
        start,
        end: Instant::now(),
    };
    let record = CallRecord::new(job.call_index, job.series_id, &clock, moments, &outcome);
    Some(record)
}

fn unless_cancelled(outcome: Result<Option<CallRecord>, JoinError>) -> Option<CallRecord> {
    match outcome {
        Ok(record) => record,
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_cancelled) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::base_url::BaseUrl;
    use crate::interrupt;

    const DELAY: Duration = Duration::from_millis(40);

    /// Counts the requests it holds at the same time, each for [`DELAY`].
    async fn slow_server() -> (BaseUrl, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let most = Arc::new(AtomicUsize::new(0));
        let (now, seen) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (now, seen) = (Arc::clone(&now), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while socket.read(&mut request).await.is_ok_and(|n| n > 0) {
                        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::time::sleep(DELAY).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        socket.write_all(reply).await.unwrap();
                    }
                });
            }
        });
        (base.parse().unwrap(), most)
    }

    fn jobs(client: &Client, n: usize) -> Vec<Job> {
        (0..n)
            .map(|call_index| Job {
                call_index,
                series_id: format!("s{call_index}"),
                request: client.get(&["healthcheck"]),
            })
            .collect()
    }

    #[tokio::test]
    async fn bounds_concurrency_and_counts_the_wait_only_from_the_intended_start() {
        let (base, most) = slow_server().await;
        let client = Client::new(&base, 3, Duration::from_secs(20)).unwrap();
        let (_handle, stop) = interrupt::manual();
        let burst = burst(&client, jobs(&client, 9), 3, &stop).await;

        assert_eq!(most.load(Ordering::SeqCst), 3);
        let order: Vec<_> = burst.records.iter().map(|r| r.call_index).collect();
        assert_eq!(order, (0..9).collect::<Vec<_>>());
        assert!(burst.records.iter().all(|r| r.ok));
        // Three rounds of at least DELAY each: whoever goes last has waited for two of them.
        let rounds = |ms: f64| (ms / DELAY.as_secs_f64() / 1e3) as usize;
        let longest = burst.records.iter().map(|r| r.since_intended_ms);
        assert!(rounds(longest.fold(0.0, f64::max)) >= 3);
        for record in &burst.records {
            assert!(rounds(record.delta_ms) >= 1);
            assert!(record.since_intended_ms >= record.delta_ms);
        }
        let last = burst.records.iter().max_by(|a, b| {
            (a.since_intended_ms - a.delta_ms).total_cmp(&(b.since_intended_ms - b.delta_ms))
        });
        let last = last.unwrap();
        assert!(rounds(last.since_intended_ms - last.delta_ms) >= 2);
        assert!(burst.wall >= 3 * DELAY);
    }

    #[tokio::test]
    async fn a_stopped_burst_keeps_only_what_was_finished() {
        let (base, _) = slow_server().await;
        let client = Client::new(&base, 3, Duration::from_secs(20)).unwrap();
        let (handle, stop) = interrupt::manual();
        handle.stop();
        let burst = burst(&client, jobs(&client, 9), 3, &stop).await;
        assert!(burst.records.len() < 9);
    }
}
