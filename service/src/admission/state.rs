//! What one server has for all its requests, beside the gates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use super::Memory;

/// Memory for requests, and how refusals are told.
pub struct Admission {
    /// Memory for bodies, the work on them and replies.
    pub memory: Arc<Memory>,
    /// The header that names the tenant, if tenants are told apart.
    pub tenant_header: Option<String>,
    hasher: ahash::RandomState,
    turn: AtomicU32,
    refused: AtomicU64,
    said_at_s: AtomicU64,
    begun: Instant,
}

/// Seconds after which a refused caller may come again, at most; at least 1.
pub const RETRY_AFTER_MAX_S: u32 = 5;

impl Admission {
    /// `request_bytes` for requests; tenants by this header.
    #[must_use]
    pub fn new(request_bytes: usize, tenant_header: Option<String>) -> Self {
        Self {
            memory: Memory::new(request_bytes),
            tenant_header,
            hasher: ahash::RandomState::new(),
            turn: AtomicU32::new(0),
            refused: AtomicU64::new(0),
            said_at_s: AtomicU64::new(0),
            begun: Instant::now(),
        }
    }

    /// The tenant of this name.
    #[must_use]
    pub fn tenant(&self, name: &[u8]) -> super::Tenant {
        super::Tenant(self.hasher.hash_one(name))
    }

    /// Whole seconds, 1 to [`RETRY_AFTER_MAX_S`], after which the next refused caller may come again: spread evenly, so that
    /// those who are refused together do not come back together.
    pub fn retry_after_s(&self) -> u32 {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        // Multiples of the golden ratio: even over any stretch, and no caller of every n-th refusal has always the same.
        let spread = u64::from(turn.wrapping_mul(0x9E37_79B9));
        1 + ((spread * u64::from(RETRY_AFTER_MAX_S)) >> 32) as u32
    }

    /// Counts a refusal; once a second, how many there were since it was said last.
    pub fn refused(&self) -> Option<u64> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let now_s = self.begun.elapsed().as_secs() + 1;
        let said_at_s = self.said_at_s.load(Ordering::Relaxed);
        let is_due = said_at_s < now_s
            && self
                .said_at_s
                .compare_exchange(said_at_s, now_s, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_due.then(|| self.refused.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_that_are_refused_together_come_back_apart() {
        let admission = Admission::new(1, None);
        let mut counts = [0; RETRY_AFTER_MAX_S as usize + 1];
        for _ in 0..1_000 {
            counts[admission.retry_after_s() as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!(
            counts[1..].iter().all(|n| (190..=210).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn refusals_are_said_once_a_second() {
        let admission = Admission::new(1, None);
        let said: Vec<u64> = (0..1_000).filter_map(|_| admission.refused()).collect();
        assert!(said.len() <= 3 && said[0] == 1, "{said:?}");
    }
}
