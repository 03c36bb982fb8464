//! Bytes that requests may take, all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Refusal;

/// The memory for bodies, the work on them and replies.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    used: AtomicUsize,
    /// Of these, bytes of work that has begun.
    work: AtomicUsize,
}

/// Bytes of one request; given back when dropped.
#[derive(Debug)]
pub struct Reserved {
    memory: Arc<Memory>,
    bytes: AtomicUsize,
    /// Bytes of its work, among those of the memory.
    work: AtomicUsize,
}

impl Memory {
    /// Memory of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            work: AtomicUsize::new(0),
        })
    }

    /// Bytes there are.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes taken. Above the limit while the work on one body goes on that alone takes more than was left.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or all there are if more are asked for: one request may have everything for itself.
    ///
    /// # Errors
    /// [`Refusal::Memory`] when fewer are left.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reserved, Refusal> {
        let reserved = Reserved {
            memory: Arc::clone(self),
            bytes: AtomicUsize::new(0),
            work: AtomicUsize::new(0),
        };
        reserved.grow(bytes)?;
        Ok(reserved)
    }
}

impl Reserved {
    /// Takes `bytes` more, up to all there are.
    ///
    /// # Errors
    /// [`Refusal::Memory`] when fewer are left; what was taken before stays.
    pub fn grow(&self, bytes: usize) -> Result<(), Refusal> {
        let limit = self.memory.limit;
        let own = self.bytes.load(Ordering::Relaxed);
        let more = bytes.min(limit.saturating_sub(own));
        let taken = self
            .memory
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|used| *used <= limit)
            });
        taken.map_err(|_| Refusal::Memory)?;
        self.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Takes `bytes` for work that begins. Work that takes more than is left begins if no other is under way: a
    /// server that never began it would be of no use to its caller.
    ///
    /// # Errors
    /// [`Refusal::Memory`] when fewer are left and other work is under way.
    pub fn begin_work(&self, bytes: usize) -> Result<(), Refusal> {
        if bytes == 0 {
            return Ok(());
        }
        let Memory { limit, used, work } = &*self.memory;
        let fits = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| used <= limit)
        });
        if fits.is_ok() {
            work.fetch_add(bytes, Ordering::Relaxed);
        } else {
            // Of two such at the same time, one finds no other.
            let alone = work.compare_exchange(0, bytes, Ordering::Relaxed, Ordering::Relaxed);
            alone.map_err(|_| Refusal::Memory)?;
            used.fetch_add(bytes, Ordering::Relaxed);
        }
        self.work.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Counts `bytes` more that are taken in any case: of work that has been done.
    pub fn add(&self, bytes: usize) {
        self.memory.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back all but `bytes`: the work is done.
    pub fn settle(&self, bytes: usize) {
        let work = self.work.swap(0, Ordering::Relaxed);
        self.memory.work.fetch_sub(work, Ordering::Relaxed);
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        let used = &self.memory.used;
        if bytes > before {
            used.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            used.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of this request.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let memory = &self.memory;
        let (work, bytes) = (*self.work.get_mut(), *self.bytes.get_mut());
        memory.work.fetch_sub(work, Ordering::Relaxed);
        memory.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_what_was_taken_comes_back() {
        let memory = Memory::new(100);
        let first = memory.reserve(60).unwrap();
        assert_eq!(memory.reserve(41).unwrap_err(), Refusal::Memory);
        let second = memory.reserve(30).unwrap();
        assert_eq!(second.grow(11).unwrap_err(), Refusal::Memory);
        second.grow(10).unwrap();
        assert_eq!(memory.used(), 100);
        first.add(20);
        assert_eq!((memory.used(), first.bytes()), (120, 80));
        drop(first);
        assert_eq!(memory.used(), 40);
        drop(second);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn work_beyond_the_limit_begins_only_alone() {
        let memory = Memory::new(100);
        let [one, two, three] = [(); 3].map(|()| memory.reserve(10).unwrap());
        one.begin_work(40).unwrap();
        assert_eq!(two.begin_work(31).unwrap_err(), Refusal::Memory);
        assert_eq!(
            (memory.used(), two.bytes()),
            (70, 10),
            "nothing is left of it"
        );
        two.begin_work(30).unwrap();
        // No work is refused that takes nothing.
        three.begin_work(0).unwrap();
        assert_eq!(three.begin_work(1).unwrap_err(), Refusal::Memory);
        one.settle(10);
        drop(two);
        // The control: with bodies and replies of others, and no work, any work begins.
        three.begin_work(1_000).unwrap();
        assert_eq!(memory.used(), 1_020);
        assert_eq!(one.begin_work(1).unwrap_err(), Refusal::Memory);
        drop(three);
        one.begin_work(90).unwrap();
        drop(one);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_request_larger_than_all_has_all_for_itself() {
        let memory = Memory::new(100);
        let one = memory.reserve(1).unwrap();
        assert_eq!(memory.reserve(1_000).unwrap_err(), Refusal::Memory);
        drop(one);
        let large = memory.reserve(1_000).unwrap();
        large.grow(1_000).unwrap();
        assert_eq!(memory.used(), 100);
        assert_eq!(memory.reserve(1).unwrap_err(), Refusal::Memory);
    }
}
