//! The open loop: requests are sent at moments fixed beforehand, whether or not replies keep up.
//!
//! A request that finds no free connection, or whose moment the client missed, is sent as soon as
//! it can be; its latency counts from the moment it was meant for, so that nothing hides in the
//! client's queue (the effect that G. Tene named coordinated omission).

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::engine::unless_cancelled;
use super::pacer::Pacer;
use super::queue::{Free, Queue};
use super::sender::{Intended, Sender};
use super::wire::Connection;

/// The moments of one thread's requests since the run's start, and their numbers.
pub(super) type Schedule = Box<dyn Iterator<Item = (u64, Duration)> + Send>;

/// Moments that are counted one by one when a run ends far behind; of more, the number is that which
/// their mean distance gives.
const MOST_COUNTED: u64 = 10_000_000;

/// The connections of one thread, with their numbers in the run.
#[derive(Debug)]
pub(super) struct Pool {
    /// Opened beforehand.
    pub(super) open: Vec<(u32, Connection)>,
    /// Opened when a request is due and none is free.
    pub(super) spare: Vec<(u32, Connection)>,
}

/// What is to be sent. It outlives the loop, so that a run that was stopped can say what it did not
/// send.
pub(super) struct Backlog {
    schedule: RefCell<Schedule>,
    queue: Queue,
    /// The moment of a request that has left the schedule and is not in the queue yet.
    held: Cell<Option<Duration>>,
    start: Instant,
    deadline: Option<Instant>,
}

impl Backlog {
    /// Sends all of `schedule`, or what is due before `time` after `start`.
    pub(super) fn new(schedule: Schedule, start: Instant, time: Option<Duration>) -> Self {
        let deadline = time.map(|time| start + time);
        Self {
            schedule: RefCell::new(schedule),
            queue: Queue::new(deadline),
            held: Cell::default(),
            start,
            deadline,
        }
    }

    /// Requests that were due by now, or by the deadline, and were not sent.
    pub(super) fn unsent(&self) -> u64 {
        let now = Instant::now();
        let end = self.deadline.map_or(now, |deadline| deadline.min(now));
        let by = end - self.start;
        let held = self.held.get().is_some_and(|at| at < by);
        let scheduled = due_before(&mut self.schedule.borrow_mut(), by);
        u64::from(held) + self.queue.len() as u64 + scheduled
    }

    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The next request of the schedule, unless it is due after the deadline.
    fn take(&self) -> Option<(u64, Instant)> {
        let (index, after) = self.schedule.borrow_mut().next()?;
        let at = self.start + after;
        if self.deadline.is_some_and(|deadline| at >= deadline) {
            return None;
        }
        self.held.set(Some(after));
        Some((index, at))
    }

    /// Waits until the queue has room, or the deadline.
    async fn room(&self, pacer: &Pacer) -> io::Result<()> {
        while self.queue.is_full() && !self.is_over() {
            match self.deadline {
                Some(deadline) => tokio::select! {
                    () = self.queue.room() => {}
                    ended = pacer.wait_until(deadline) => ended?,
                },
                None => self.queue.room().await,
            }
        }
        Ok(())
    }
}

/// Counts the moments before `by`.
fn due_before(schedule: &mut Schedule, by: Duration) -> u64 {
    let mut counted = 0;
    let mut first = None;
    for (_, at) in schedule {
        if at >= by {
            return counted;
        }
        counted += 1;
        let first = *first.get_or_insert(at);
        if counted == MOST_COUNTED {
            let each = (at - first).as_secs_f64() / counted as f64;
            return counted + ((by - at).as_secs_f64() / each.max(1e-9)) as u64;
        }
    }
    counted
}

/// Sends what `backlog` has, all of it or until its deadline.
pub(super) async fn run(
    sender: Rc<Sender>,
    pool: Pool,
    backlog: Rc<Backlog>,
    pacer: Pacer,
) -> io::Result<()> {
    let mut workers = JoinSet::new();
    let start_worker = |workers: &mut JoinSet<()>, (client, connection)| {
        let (sender, backlog) = (Rc::clone(&sender), Rc::clone(&backlog));
        workers.spawn_local(work(sender, backlog, client, connection));
    };
    for place in pool.open {
        start_worker(&mut workers, place);
    }
    let mut spare = pool.spare;
    // The lowest number first.
    spare.reverse();

    let queue = &backlog.queue;
    while let Some((index, at)) = backlog.take() {
        pacer.wait_until(at).await?;
        let since = if queue.is_full() {
            backlog.room(&pacer).await?;
            // It did not wait in the queue, but for the same.
            at
        } else {
            Instant::now()
        };
        if backlog.is_over() {
            break;
        }
        backlog.held.set(None);
        if queue.push(index, at, since, !spare.is_empty()) == Free::None
            && let Some(place) = spare.pop()
        {
            start_worker(&mut workers, place);
        }
    }
    if let Some(deadline) = backlog.deadline {
        pacer.wait_until(deadline).await?;
    }
    queue.close();
    while let Some(done) = workers.join_next().await {
        unless_cancelled(done);
    }
    Ok(())
}

async fn work(sender: Rc<Sender>, backlog: Rc<Backlog>, client: u32, mut connection: Connection) {
    let mut free_since = None;
    while let Some(due) = backlog.queue.next().await {
        let intended = Intended {
            at: due.at,
            waited: due.waited_until(free_since),
        };
        let finished = sender
            .send(&mut connection, client, due.index, Some(intended))
            .await;
        free_since = Some(finished.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_millisecond() -> Schedule {
        Box::new((0_u64..).map(|k| (k, Duration::from_millis(k))))
    }

    #[test]
    fn moments_before_an_end_are_counted() {
        let mut schedule = every_millisecond();
        assert_eq!(due_before(&mut schedule, Duration::from_millis(10)), 10);
        let mut few: Schedule = Box::new((0_u64..3).map(|k| (k, Duration::from_millis(k))));
        assert_eq!(due_before(&mut few, Duration::from_secs(10)), 3);
    }

    /// Counting one by one would take hours.
    #[test]
    fn a_schedule_without_end_in_sight_is_estimated() {
        let mut schedule: Schedule = Box::new((0_u64..).map(|k| (k, Duration::from_nanos(10 * k))));
        let due = due_before(&mut schedule, Duration::from_secs(3_600));
        let exact = 360_000_000_000_f64;
        assert!((due as f64 / exact - 1.0).abs() < 1e-3, "{due}");
    }
}
