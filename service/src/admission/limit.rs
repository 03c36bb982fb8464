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
//! A queue behind which a thread was idle a moment ago is a burst that will be worked off, not an overload. As in CoDel
//! (Nichols & Jacobson, ACM Queue 2012) and *Fail at Scale* (Maurer, ACM Queue 2015), only a queue that has stood for a
//! whole interval is held to the limit above; before that it may have the length of a burst, and what is waited in it
//! cuts no limit.
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
    /// Limit while a thread has been idle within the interval.
    pub burst: usize,
    /// Most, whatever is measured.
    pub most: usize,
    /// Seconds without an idle thread after which a queue is no burst.
    pub interval: f64,
}

/// Services in which a burst may be worked off.
const BURST_SERVICES: f64 = 40.0;
/// Weight of a new service time in the average.
const NEW: f64 = 1.0 / 16.0;
/// A queue this full is held back by its limit.
const NEAR: f64 = 0.8;
/// The most that one wait takes away.
const MOST_CUT: f64 = 0.5;
/// The least: a wait just above the target has to count.
const LEAST_CUT: f64 = 0.98;

/// The limit of one queue.
#[derive(Clone, Debug)]
pub struct Limit {
    law: Law,
    limit: f64,
    service: Option<f64>,
    idle_at: f64,
    cut_at: f64,
}

impl Limit {
    /// A limit that has measured nothing: a burst's.
    #[must_use]
    pub fn new(law: Law) -> Self {
        Self {
            law,
            limit: law.burst.clamp(law.least, law.most) as f64,
            service: None,
            idle_at: 0.0,
            cut_at: f64::NEG_INFINITY,
        }
    }

    /// How many may wait at `now`.
    #[must_use]
    pub fn allowed(&self, now: f64) -> usize {
        if self.stands(now) {
            self.standing()
        } else {
            self.standing().max(self.law.burst).min(self.law.most)
        }
    }

    /// Whether no thread was idle for so long that what waits is no burst.
    fn stands(&self, now: f64) -> bool {
        // A burst of slow services is worked off slowly.
        let services = BURST_SERVICES * self.service.unwrap_or_default();
        now - self.idle_at >= self.law.interval.max(services)
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

    /// A thread has nothing to do.
    pub fn idle(&mut self, now: f64) {
        self.idle_at = now;
    }

    /// A service begins after a wait of `waited` seconds; `waiting` are left.
    pub fn begun(&mut self, now: f64, waited: f64, waiting: usize) {
        if !self.stands(now) {
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
