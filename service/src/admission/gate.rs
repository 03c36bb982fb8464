//! The gate in front of a pool: as many permits as threads, and a queue for who comes when none is left.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::limit::{Law, Limit, Place};
use super::queue::FairQueue;
use super::{Class, Refusal, Tenant, Ticket};
use crate::metrics::Histogram;

/// Most that wait, whatever is measured.
pub const MOST_WAITING: usize = 1_024;
/// Limits of a queue, by threads: enough to keep each busy.
const LEAST_A_THREAD: usize = 2;
/// Predicts that may come at once after a calm.
const PREDICT_BURST: usize = 32;
/// Places beyond the limit for tenants that have used little.
const OWED: usize = 12;
/// Fits that may come at once: whoever sends a history waits for it, and often sends many.
const FIT_BURST: usize = 512;

/// Bounds of the waits, in seconds.
const WAITS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// Lets in as many as there are threads, those first whose tenants have used least.
pub struct Gate {
    threads: usize,
    /// Places beyond the limit for tenants that have used little.
    owed: usize,
    inner: Mutex<Inner>,
    stats: GateStats,
    begun: Instant,
}

struct Inner {
    queue: FairQueue<Waiter>,
    limit: Limit,
    running: usize,
    /// Jobs that have left the queue for a thread.
    begun: u64,
}

struct Waiter {
    since: Instant,
    /// How many waited then, and how many had begun.
    behind: (usize, u64),
    place: Place,
    /// Whether its request has begun, and is carried through.
    is_begun: bool,
    grant: oneshot::Sender<Result<Permit, Refusal>>,
}

/// What a gate has seen, for metrics and for checks that need no lock.
pub struct GateStats {
    running: AtomicUsize,
    waiting: AtomicUsize,
    standing_by: AtomicUsize,
    limit: AtomicUsize,
    refused: [AtomicU64; Refusal::ALL.len()],
    abandoned: AtomicU64,
    /// Seconds from asking for a thread to having one.
    pub waits: Histogram,
}

/// A thread of the pool is yours until this is dropped.
pub struct Permit {
    gate: Option<Arc<Gate>>,
    started: Option<Instant>,
}

impl Gate {
    /// A gate of `class` before `threads` threads.
    #[must_use]
    pub fn new(class: Class, threads: usize) -> Arc<Self> {
        Self::with_law(threads, law(class, threads))
    }

    pub(super) fn with_law(threads: usize, law: Law) -> Arc<Self> {
        let limit = Limit::new(law, threads);
        let stats = GateStats {
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            standing_by: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit.standing()),
            refused: Default::default(),
            abandoned: AtomicU64::new(0),
            waits: Histogram::new(WAITS),
        };
        Arc::new(Self {
            threads,
            owed: law.burst.min(OWED),
            inner: Mutex::new(Inner {
                queue: FairQueue::default(),
                limit,
                running: 0,
                begun: 0,
            }),
            stats,
            begun: Instant::now(),
        })
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self) -> &GateStats {
        &self.stats
    }

    /// Refuses what would be refused if it asked for a thread now. Costs one load while nobody waits.
    ///
    /// # Errors
    /// As [`Gate::enter`].
    pub fn check(&self, ticket: &Ticket) -> Result<(), Refusal> {
        if self.stats.waiting() == 0 {
            return Ok(());
        }
        let inner = self.lock();
        let asked = self.place(&inner, ticket, Instant::now());
        drop(inner);
        asked
            .map(|_| ())
            .inspect_err(|refusal| self.stats.refuse(*refusal))
    }

    /// Waits for a thread. Who stops waiting has left the queue.
    ///
    /// # Errors
    /// When the queue is as long as it may be, the deadline passes before the turn, or the tenant has more than its
    /// share while others come.
    pub async fn enter(self: &Arc<Self>, ticket: &Ticket) -> Result<Permit, Refusal> {
        let (id, granted) = match self.ask(ticket) {
            Asked::Granted(permit) => return Ok(permit),
            Asked::Refused(refusal) => {
                self.stats.refuse(refusal);
                return Err(refusal);
            }
            Asked::Waits(id, granted) => (id, granted),
        };
        let mut waits = Waits {
            gate: self,
            tenant: ticket.tenant,
            id: Some(id),
        };
        let answer = match ticket.deadline {
            None => granted.await.ok(),
            Some(deadline) => {
                let granted = tokio::time::timeout_at(deadline.into(), granted);
                granted.await.ok().and_then(Result::ok)
            }
        };
        // A grant that comes after the deadline is dropped with its receiver, and goes to the next.
        waits.end();
        let answer = answer.unwrap_or(Err(Refusal::Deadline));
        answer.inspect_err(|refusal| self.stats.refuse(*refusal))
    }

    /// Takes a place for who waits for something else before asking for a thread.
    ///
    /// # Errors
    /// When all places are taken.
    pub fn stand_by(self: &Arc<Self>) -> Result<StandsBy, Refusal> {
        let standing_by = &self.stats.standing_by;
        let taken =
            standing_by.fetch_update(Relaxed, Relaxed, |n| (n < MOST_WAITING).then_some(n + 1));
        if taken.is_err() {
            self.stats.refuse(Refusal::QueueFull);
            return Err(Refusal::QueueFull);
        }
        Ok(StandsBy(Arc::clone(self)))
    }

    fn ask(self: &Arc<Self>, ticket: &Ticket) -> Asked {
        let now = Instant::now();
        if ticket.is_late(now) {
            return Asked::Refused(Refusal::Deadline);
        }
        let mut inner = self.lock();
        let at = self.seconds(now);
        if inner.running < self.threads && inner.queue.is_empty() {
            inner.running += 1;
            inner.queue.pay(ticket.tenant, ticket.cost(), at);
            let idle = self.threads - inner.running;
            inner.limit.idle(at, idle);
            self.stats.waits.observe(0.0);
            self.publish(&inner);
            return Asked::Granted(self.permit());
        }
        let place = if ticket.is_begun {
            Place::Beyond
        } else {
            match self.place(&inner, ticket, now) {
                Ok(Found::Free) => {
                    let waiting = inner.queue.len();
                    inner.limit.taken(waiting)
                }
                Ok(Found::Owed) => Place::Beyond,
                Ok(Found::Of(tenant)) => {
                    match inner.queue.pop_last_of(tenant, |waiter| !waiter.is_begun) {
                        Some(out) => {
                            let _ = out.grant.send(Err(Refusal::TenantShare));
                            out.place
                        }
                        None => return Asked::Refused(Refusal::QueueFull),
                    }
                }
                Err(refusal) => return Asked::Refused(refusal),
            }
        };
        let (grant, granted) = oneshot::channel();
        let waiter = Waiter {
            since: now,
            behind: (inner.queue.len(), inner.begun),
            place,
            is_begun: ticket.is_begun,
            grant,
        };
        let id = inner.queue.push(ticket.tenant, ticket.cost(), waiter);
        self.publish(&inner);
        Asked::Waits(id, granted)
    }

    /// Whether there is a place in the queue for `ticket`.
    fn place(&self, inner: &Inner, ticket: &Ticket, now: Instant) -> Result<Found, Refusal> {
        let (waiting, tenant) = (inner.queue.len(), ticket.tenant);
        let own = inner.queue.len_of(tenant);
        let tenants = inner.queue.tenants_with(tenant);
        if let Some(deadline) = ticket.deadline {
            // Its turn comes after those before it in its own queue, and as many of each other's.
            let before = waiting.min((own + 1) * tenants);
            let service = inner.limit.service().unwrap_or_default();
            let wait = before as f64 * service / self.threads as f64;
            if wait > deadline.saturating_duration_since(now).as_secs_f64() {
                return Err(Refusal::Deadline);
            }
        }
        let allowed = inner.limit.allowed();
        if waiting < allowed {
            return Ok(Found::Free);
        }
        let at = self.seconds(now);
        let claimed = inner.queue.claimed(tenant, at) + 1.0;
        match inner.queue.largest(at) {
            Some((other, theirs)) if other != tenant && theirs >= 2.0 * claimed => {
                return Ok(Found::Of(other));
            }
            _ => {}
        }
        // Whoever has used twice as much has had what idle threads would have left: places after a calm.
        let is_owed = 2.0 * claimed < inner.queue.most_used(at);
        if is_owed && waiting < (allowed + self.owed).min(MOST_WAITING) {
            return Ok(Found::Owed);
        }
        Err(if own == waiting || own == 0 {
            Refusal::QueueFull
        } else {
            Refusal::TenantShare
        })
    }

    fn release(self: &Arc<Self>, started: Option<Instant>) {
        let now = Instant::now();
        let at = self.seconds(now);
        let mut inner = self.lock();
        inner.running -= 1;
        if let Some(started) = started {
            let took = now.saturating_duration_since(started);
            inner.limit.ended(took.as_secs_f64());
        }
        while inner.running < self.threads {
            let Some(waiter) = inner.queue.pop(at) else {
                let idle = self.threads - inner.running;
                inner.limit.idle(at, idle);
                break;
            };
            if let Err(Ok(mut unwanted)) = waiter.grant.send(Ok(self.permit())) {
                // Whoever waited has gone this moment.
                unwanted.gate = None;
                continue;
            }
            inner.running += 1;
            let waited = now.saturating_duration_since(waiter.since).as_secs_f64();
            let left = inner.queue.len();
            // What it would have waited in the order of arrival: that a tenant is overtaken by others says nothing of
            // the queue.
            let (ahead, begun) = waiter.behind;
            let in_order = (ahead as f64 + 1.0) / ((inner.begun - begun) as f64 + 1.0);
            inner.begun += 1;
            let place = waiter.place;
            inner.limit.begun(at, place, waited * in_order, left);
            self.stats.waits.observe(waited);
        }
        self.publish(&inner);
    }

    fn leave(&self, tenant: Tenant, id: u64) {
        let mut inner = self.lock();
        inner.queue.remove(tenant, id);
        self.publish(&inner);
    }

    fn permit(self: &Arc<Self>) -> Permit {
        Permit {
            gate: Some(Arc::clone(self)),
            started: None,
        }
    }

    fn publish(&self, inner: &Inner) {
        self.stats.running.store(inner.running, Relaxed);
        self.stats.waiting.store(inner.queue.len(), Relaxed);
        self.stats.limit.store(inner.limit.standing(), Relaxed);
    }

    fn seconds(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.begun).as_secs_f64()
    }

    /// Held for some hundred nanoseconds, never while anything is awaited. Nothing in it panics half-way.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the queue of a class is held.
pub(super) fn law(class: Class, threads: usize) -> Law {
    let least = LEAST_A_THREAD * threads;
    let (floor, burst) = match class {
        Class::Predict => (0.002, PREDICT_BURST),
        Class::Fit => (0.1, FIT_BURST),
    };
    Law {
        floor,
        services: 1.0 + 4.0 / threads as f64,
        least,
        burst,
        most: MOST_WAITING,
    }
}

enum Asked {
    Granted(Permit),
    Refused(Refusal),
    Waits(u64, oneshot::Receiver<Result<Permit, Refusal>>),
}

enum Found {
    /// One that nobody has.
    Free,
    /// One beyond the limit, for who has used little.
    Owed,
    /// That of the youngest of this tenant, which has used most.
    Of(Tenant),
}

/// Somebody in the queue; leaves it when dropped.
struct Waits<'a> {
    gate: &'a Gate,
    tenant: Tenant,
    id: Option<u64>,
}

impl Waits<'_> {
    /// The wait is over, whether or not with a thread.
    fn end(&mut self) {
        if let Some(id) = self.id.take() {
            self.gate.leave(self.tenant, id);
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.gate.leave(self.tenant, id);
            self.gate.stats.abandon();
        }
    }
}

/// A place of who waits for something else than a thread.
pub struct StandsBy(Arc<Gate>);

impl Drop for StandsBy {
    fn drop(&mut self) {
        self.0.stats.standing_by.fetch_sub(1, Relaxed);
    }
}

impl Permit {
    /// The work begins: from here on, its time counts.
    pub fn start(&mut self) {
        self.started = Some(Instant::now());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.release(self.started);
        }
    }
}

impl GateStats {
    /// Jobs on the pool.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    /// Jobs in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Most that may wait in a queue that stands.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Running, waiting, and waiting for something else, as a share of the most there can be.
    #[must_use]
    pub fn utilization(&self, threads: usize) -> f64 {
        let here = self.running() + self.waiting() + self.standing_by.load(Relaxed);
        (here as f64 / (MOST_WAITING + threads) as f64).min(1.0)
    }

    /// How often `refusal` was the answer.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Relaxed)
    }

    /// Counts a refusal.
    pub fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    /// Requests whose client left before their work began.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Relaxed)
    }

    /// Counts one of these.
    pub fn abandon(&self) {
        self.abandoned.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
