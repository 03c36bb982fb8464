//! Connections: how long a peer may take, how many it may have, and TLS.
//!
//! The framework limits the first head of a connection and nothing else. Here the socket itself is
//! guarded: whoever does not get on, in whichever part of an exchange, loses its connection. `http`
//! says when a request is being worked on, and reads bodies at the [`Pace`] of this module.

mod activity;
mod authority;
mod framing;
mod guard;
mod pace;
mod peers;
mod serve;
mod stream;
mod tls;

use std::time::Duration;

pub(crate) use activity::Working;
pub(crate) use pace::Pace;
pub(crate) use peers::Peers;
pub(crate) use serve::{Serving, serve};
pub(crate) use tls::{CertificateFiles, Tls};

/// A peer that does not get on for so long loses its connection. Far below the 10 s that are promised, because a machine
/// that does much else comes to it late.
pub(crate) const PATIENCE: Duration = Duration::from_millis(7_500);

/// After a refusal, what its sender has on the way is read for so long, or the system would drop the reply with it.
const LINGER: Duration = Duration::from_secs(1);

/// As [`PATIENCE`], with a body: its refusal is followed by [`LINGER`].
pub(crate) const BODY_PATIENCE: Duration = Duration::from_millis(6_500);

/// As [`PATIENCE`], with a reply: who does not take one has not got on since before there was one that did not fit.
const REPLY_PATIENCE: Duration = Duration::from_secs(6);

/// Bytes of a reply that the system takes before it has sent those that it took earlier. It asks for more when half of
/// them are sent: so little that a peer that takes 1 KiB a second is seen to within [`REPLY_PATIENCE`].
const UNSENT_BYTES: u32 = 8 * 1024;

/// What may have been sent of them unseen: half, and what the networks hold.
const UNSEEN_BYTES: u32 = 5 * 1024;

/// How long a connection may stay in one part of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From its first byte to the end of a head; of a new connection, from its begin.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Without taking any of a reply.
    pub(crate) reply: Duration,
}

impl Limits {
    /// Those of a server that keeps idle connections for `idle`.
    pub(crate) const fn keeping(idle: Duration) -> Self {
        Self {
            head: PATIENCE,
            idle,
            reply: REPLY_PATIENCE,
        }
    }

    /// No part of an exchange ends sooner than after this.
    fn shortest(&self) -> Duration {
        self.head.min(self.idle).min(self.reply)
    }
}
