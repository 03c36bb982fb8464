//! What the admission knows of one request.

use std::sync::Arc;
use std::time::Instant;

use super::{Class, Refusal, Reserved, Tenant};
use crate::telemetry::{PartSpan, RequestSpan};

/// One request's claim to be served.
#[derive(Debug)]
pub struct Ticket {
    /// Its kind of work.
    pub class: Class,
    /// On whose behalf it is made.
    pub tenant: Tenant,
    /// When it is of no use any more; none once it has changed something, which is then carried through.
    pub deadline: Option<Instant>,
    /// The memory it has taken; none of small requests, which belong to their connection.
    pub memory: Option<Arc<Reserved>>,
    /// Bytes of its body: what its work costs, as far as can be told before it is done.
    pub body_bytes: usize,
    /// Whether some of its work was taken on. The rest is not refused for the length of the queue: the work would be
    /// lost, or half of an update done.
    pub is_begun: bool,
    /// The span of the request, if it is sampled.
    pub span: Option<RequestSpan>,
}

/// Bytes that work on a byte of a body takes at most, beside the body: what was decoded of it, what the work keeps, and
/// the reply. Peak resident memory of 500,000 points was 28 bodies of a predict in columns with all fields, 9 of a
/// fit, and 28 of a detection of 100,000 points.
const fn work_a_byte(class: Class) -> usize {
    match class {
        Class::Predict => 28,
        Class::Fit => 15,
    }
}

/// Bytes of a body that cost a turn in the queue.
const BYTES_A_TURN: f64 = 16_384.0;

impl Ticket {
    /// A request of this class by `tenant`, to be answered before `deadline`.
    #[must_use]
    pub fn new(class: Class, tenant: Tenant, deadline: Option<Instant>) -> Self {
        Self {
            class,
            tenant,
            deadline,
            memory: None,
            body_bytes: 0,
            is_begun: false,
            span: None,
        }
    }

    /// The same request, asking for work of another class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> Self {
        Self {
            class,
            tenant: self.tenant,
            deadline: self.deadline,
            memory: self.memory.clone(),
            body_bytes: 0,
            is_begun: false,
            span: self.span.clone(),
        }
    }

    /// Begins the span of a part of the request, if it is sampled.
    pub fn part(&self, name: &'static str) -> Option<PartSpan> {
        self.span.as_ref().map(|span| span.part(name))
    }

    /// As [`Ticket::part`] of the computation.
    pub fn work(&self) -> Option<PartSpan> {
        self.span.as_ref().map(RequestSpan::work)
    }

    /// Whether its deadline has passed at `now`.
    #[must_use]
    pub fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Work on the request begins: its memory is taken, once.
    ///
    /// # Errors
    /// [`Refusal::Memory`] as [`Reserved::begin_work`].
    pub fn begin(&mut self) -> Result<(), Refusal> {
        if self.is_begun {
            return Ok(());
        }
        if let Some(memory) = &self.memory {
            memory.begin_work(self.work_bytes())?;
        }
        self.is_begun = true;
        Ok(())
    }

    fn work_bytes(&self) -> usize {
        work_a_byte(self.class).saturating_mul(self.body_bytes)
    }

    /// Carries the request through whatever its deadline is: it has changed something.
    pub fn carry_through(&mut self) {
        self.deadline = None;
        if std::mem::replace(&mut self.is_begun, true) {
            return;
        }
        if let Some(memory) = &self.memory {
            memory.add(self.work_bytes());
        }
    }

    /// What its next job costs, in turns of its tenant.
    #[must_use]
    pub fn cost(&self) -> f64 {
        1.0 + self.body_bytes as f64 / BYTES_A_TURN
    }
}
