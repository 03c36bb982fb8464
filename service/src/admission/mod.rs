//! What a server takes on: who gets a thread of the CPU pools, in which order, and whose request is refused.
//!
//! A server that takes everything serves nothing in time: beyond its capacity every request waits for longer than its
//! caller does. Each [`Class`] of work has a [`Gate`] in front of its pool: a job runs when a thread is free,
//! others wait in a queue whose length follows from how long one waits in it ([`limit`]), and whose order from what
//! tenants have used ([`queue`]), and what finds no place is refused at once, which costs a fraction of serving it. [`memory`] bounds what
//! bodies and replies take, whatever the queues hold.
//!
//! No type of the HTTP framework is in here.

pub mod gate;
pub mod limit;
pub mod memory;
pub mod queue;
#[cfg(test)]
mod simulation;
mod state;
mod ticket;

pub use gate::{Gate, GateStats, Permit};
pub use memory::{Memory, Reserved};
pub use state::{Admission, RETRY_AFTER_MAX_S};
pub use ticket::Ticket;

/// What kind of work a request asks for. Classes have threads and limits of their own, so that neither waits for the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Scoring and learning points: short, and somebody waits for it.
    Predict,
    /// Fits, whole series and starts of online states: long.
    Fit,
}

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Predict, Self::Fit];

    /// The class as metrics and header fields name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Fit => "fit",
        }
    }
}

/// On whose behalf a request is made, as a hash: equal tenants share what a tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(pub u64);

impl Tenant {
    /// Everybody, where tenants are not told apart.
    pub const ALL: Self = Self(0);
}

/// Why a request was not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The queue of its class is as long as it may be.
    #[error("the queue is as long as the server works off in time")]
    QueueFull,
    /// Its deadline would pass, or has passed, before its turn.
    #[error("the deadline of the request would pass before its turn")]
    Deadline,
    /// Its tenant has its share of the queue and others wait.
    #[error("others wait, and the caller has its share of the queue")]
    TenantShare,
    /// The memory for requests is taken.
    #[error("the memory for requests is taken")]
    Memory,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::QueueFull,
        Self::Deadline,
        Self::TenantShare,
        Self::Memory,
    ];

    /// The reason as metrics name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Deadline => "deadline",
            Self::TenantShare => "tenant_share",
            Self::Memory => "memory",
        }
    }
}
