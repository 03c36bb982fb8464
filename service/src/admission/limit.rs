//! How long a queue may be: as long as one waits in it on a busy day.
//!
//! ```text
//! target = max(floor, (1 + 4 / threads) · s)    s = moving average of the time of a service
//! waited ≤ target, queue near its limit:        limit += 1 / limit             a service that begins
//! waited > target:                              limit *= max(½, target / waited)    once a wait
//! ```
//!
//! Additive increase and multiplicative decrease (Chiu & Jain 1989) on the time that was waited, as DAGOR (Zhou et al.,
//! SoCC 2018) and Breakwater (Cho et al., OSDI 2020) do: the length of a queue says nothing without the time of a
//! service, and the use of the CPU says nothing of the wait. At 80 % load, the slowest hundredth waits for five to nine
//! services of one thread, and the less the more threads there are (M/D/c). Who is served under overload waits for about
//! as long, and a queue of that length, threads + 4, does not run dry.
//!
//! A burst after a calm is not an overload: it will be worked off. As CoDel (Nichols & Jacobson, ACM Queue 2012) and *Fail
//! at Scale* (Maurer, ACM Queue 2015) do, this tells one from the other by what came before. Each service that idle
//! threads could have done in the time is a place more beyond the limit, up to those of a burst, and each place is used
//! once: a token bucket that idleness fills. Under overload no thread is idle, and nothing fills it. What is waited in
//! such a place says nothing of the limit.
//!
//! Time is seconds since whenever the caller likes; nothing in here reads a clock.

/// What does not change while the server runs.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// Least wait that is aimed at, in seconds: below it, the scheduler decides and not the queue.
    pub floor: f64,
    /// Services that one waits for at most.
    pub services: f64,
    /// Least limit: so many that no thread is idle while the next request arrives.
    pub least: usize,
    /// Places beyond the limit after a calm.
    pub burst: usize,
    /// Most, whatever is measured.
    pub most: usize,
}

/// Beyond as many as there are threads, what is allowed before anything is measured: what the law comes to.
const BEYOND_THREADS: usize = 4;
/// Weight of a new service time in the average.
const NEW: f64 = 1.0 / 16.0;
/// A queue this full is held back by its limit.
const NEAR: f64 = 0.8;
/// The most that one wait takes away.
const MOST_CUT: f64 = 0.5;
/// The least: a wait just above the target has to count.
const LEAST_CUT: f64 = 0.98;

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Within the limit.
    Standing,
    /// Beyond it: one that idle threads have paid for, or that work which had begun takes in any case.
    Beyond,
}

/// The limit of one queue.
#[derive(Clone, Debug)]
pub struct Limit {
    law: Law,
    limit: f64,
    service: Option<f64>,
    /// Places beyond the limit that are left.
    credit: f64,
    /// Threads that are idle since when.
    idle: (usize, f64),
    cut_at: f64,
}

impl Limit {
    /// A limit that has measured nothing, after a calm.
    #[must_use]
    pub fn new(law: Law, threads: usize) -> Self {
        Self {
            law,
            limit: (threads + BEYOND_THREADS).clamp(law.least, law.most) as f64,
            service: None,
            credit: law.burst as f64,
            idle: (threads, 0.0),
            cut_at: f64::NEG_INFINITY,
        }
    }

    /// How many may wait.
    #[must_use]
    pub fn allowed(&self) -> usize {
        (self.standing() + self.credit as usize).min(self.law.most)
    }

    /// Somebody takes a place behind `waiting` others.
    pub fn taken(&mut self, waiting: usize) -> Place {
        if waiting < self.standing() {
            return Place::Standing;
        }
        self.credit = (self.credit - 1.0).max(0.0);
        Place::Beyond
    }

    /// How many may wait in a queue that stands.
    #[must_use]
    pub fn standing(&self) -> usize {
        self.limit as usize
    }

    /// The mean time of a service in seconds, once one has ended.
    #[must_use]
    pub fn service(&self) -> Option<f64> {
        self.service
    }

    /// From `now` on, so many threads have nothing to do.
    pub fn idle(&mut self, now: f64, threads: usize) {
        let (idle, since) = std::mem::replace(&mut self.idle, (threads, now));
        if idle > 0 {
            let unused = idle as f64 * (now - since) / self.service.unwrap_or(f64::MIN_POSITIVE);
            self.credit = (self.credit + unused).min(self.law.burst as f64);
        }
    }

    /// A service begins after `waited` seconds in `place`; `waiting` are left.
    pub fn begun(&mut self, now: f64, place: Place, waited: f64, waiting: usize) {
        if place == Place::Beyond {
            return;
        }
        let target = self.target();
        if waited > target {
            // What was cut shows in the waits of those who come after: one cut a wait.
            if now - self.cut_at >= waited {
                self.cut_at = now;
                self.limit *= (target / waited).clamp(MOST_CUT, LEAST_CUT);
            }
        } else if waiting as f64 >= NEAR * self.limit - 1.0 {
            self.limit += 1.0 / self.limit;
        }
        self.limit = self
            .limit
            .clamp(self.law.least as f64, self.law.most as f64);
    }

    /// A service has taken `took` seconds.
    pub fn ended(&mut self, took: f64) {
        let mean = self.service.get_or_insert(took);
        *mean += NEW * (took - *mean);
    }

    fn target(&self) -> f64 {
        let services = self.law.services * self.service.unwrap_or_default();
        services.max(self.law.floor)
    }
}
