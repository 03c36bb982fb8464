//! A server of the base contract inside the client, for tests of the client and for finding out how
//! fast this machine could be at most. It learns nothing: every fit is version 1, no point is
//! an anomaly, and the state of an update is always at 1. With [`Settings::learn`] it fits the reference
//! model and keeps what it is sent.
//!
//! It gives nothing for free: a batch of n points costs n delays unless [`Settings::batch_cost`]
//! says otherwise, as if it went through them one by one. What it does wrong, it does as it is told:
//! which requests are refused or dropped is a function of the seed and their number.
//!
//! Without delay and faults a request meets no timer and no lock. Delays are timers of tokio, which
//! tick every millisecond: a delay is never shorter than asked for, and about a millisecond longer
//! at most on an idle machine.

mod answer;
mod body;
mod learnt;
mod pacing;
mod server;
mod settings;

pub use self::server::{Stub, StubError};
pub use self::settings::{Refusal, Settings, Stall};
