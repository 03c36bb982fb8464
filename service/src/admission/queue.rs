//! A queue in which tenants take turns: deficit round robin (Shreedhar & Varghese, SIGCOMM 1995).
//!
//! Each tenant has a queue of its own, first come, first served. A turn gives a tenant credit for one unit of work; a
//! job costs some, and what is left is kept for the next turn, unless the tenant has nothing more to do. However long
//! the queue of one tenant is, another's next job waits for one turn of each.

use std::collections::{HashMap, VecDeque};

use super::Tenant;

/// Credit of a turn.
const QUANTUM: u64 = 1;

/// Items of tenants that wait for their turn.
pub struct FairQueue<T> {
    tenants: HashMap<Tenant, Waiting<T>, ahash::RandomState>,
    /// Whose turn it is, and who comes after; each tenant that waits, once.
    order: VecDeque<Tenant>,
    /// Whether the first in order has had the credit of this turn.
    credited: bool,
    len: usize,
    next: u64,
}

struct Waiting<T> {
    items: VecDeque<Item<T>>,
    credit: u64,
}

struct Item<T> {
    id: u64,
    cost: u64,
    item: T,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            tenants: HashMap::default(),
            order: VecDeque::new(),
            credited: false,
            len: 0,
            next: 0,
        }
    }
}

impl<T> FairQueue<T> {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of `tenant` wait.
    #[must_use]
    pub fn len_of(&self, tenant: Tenant) -> usize {
        self.tenants
            .get(&tenant)
            .map_or(0, |waiting| waiting.items.len())
    }

    /// Tenants that wait, `tenant` counted in any case.
    #[must_use]
    pub fn tenants_with(&self, tenant: Tenant) -> usize {
        self.tenants.len() + usize::from(!self.tenants.contains_key(&tenant))
    }

    /// The most that one tenant has waiting.
    #[must_use]
    pub fn longest(&self) -> usize {
        let lengths = self.tenants.values().map(|waiting| waiting.items.len());
        lengths.max().unwrap_or(0)
    }

    /// Puts `item` behind those of its tenant. `cost` is in units of a turn. What is returned takes it out again.
    pub fn push(&mut self, tenant: Tenant, cost: u64, item: T) -> u64 {
        let id = self.next;
        self.next += 1;
        let order = &mut self.order;
        let waiting = self.tenants.entry(tenant).or_insert_with(|| {
            order.push_back(tenant);
            Waiting {
                items: VecDeque::new(),
                credit: 0,
            }
        });
        waiting.items.push_back(Item { id, cost, item });
        self.len += 1;
        id
    }

    /// Takes the item whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let mut passed = 0;
        loop {
            let tenant = *self.order.front()?;
            let waiting = self.tenants.get_mut(&tenant)?;
            if !std::mem::replace(&mut self.credited, true) {
                waiting.credit = waiting.credit.saturating_add(QUANTUM);
            }
            let cost = waiting.items.front()?.cost;
            if waiting.credit >= cost {
                waiting.credit -= cost;
                let item = waiting.items.pop_front()?.item;
                self.taken(tenant);
                return Some(item);
            }
            self.order.rotate_left(1);
            self.credited = false;
            passed += 1;
            if passed == self.order.len() {
                self.pass_rounds();
                passed = 0;
            }
        }
    }

    /// Gives everybody the credit of the rounds that would pass before anybody is served, but the last of them.
    fn pass_rounds(&mut self) {
        let missing = self.tenants.values().filter_map(|waiting| {
            let cost = waiting.items.front()?.cost;
            Some(cost.saturating_sub(waiting.credit).div_ceil(QUANTUM))
        });
        let rounds = missing.min().unwrap_or(0).saturating_sub(1);
        for waiting in self.tenants.values_mut() {
            waiting.credit = waiting.credit.saturating_add(rounds * QUANTUM);
        }
    }

    /// Takes out the item that [`push`](Self::push) called `id`, unless its turn has come.
    pub fn remove(&mut self, tenant: Tenant, id: u64) -> Option<T> {
        let waiting = self.tenants.get_mut(&tenant)?;
        let at = waiting.items.iter().position(|item| item.id == id)?;
        let item = waiting.items.remove(at)?.item;
        self.taken(tenant);
        Some(item)
    }

    /// Takes out the last item of the tenant that has the most.
    pub fn pop_last_of_longest(&mut self) -> Option<T> {
        let longest = self.tenants.iter().max_by_key(|(_, it)| it.items.len());
        let tenant = *longest?.0;
        let item = self.tenants.get_mut(&tenant)?.items.pop_back()?.item;
        self.taken(tenant);
        Some(item)
    }

    /// Counts an item out. A tenant without items is forgotten, so that memory is bounded by who waits.
    fn taken(&mut self, tenant: Tenant) {
        self.len -= 1;
        if self.len_of(tenant) > 0 {
            return;
        }
        self.tenants.remove(&tenant);
        if self.order.front() == Some(&tenant) {
            self.credited = false;
        }
        self.order.retain(|it| *it != tenant);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drained(queue: &mut FairQueue<u64>) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn tenants_take_turns_and_are_served_in_their_own_order() {
        let mut queue = FairQueue::default();
        for item in 10..15 {
            queue.push(Tenant(1), 1, item);
        }
        queue.push(Tenant(2), 1, 20);
        queue.push(Tenant(2), 1, 21);
        queue.push(Tenant(3), 1, 30);
        assert_eq!(drained(&mut queue), [10, 20, 30, 11, 21, 12, 13, 14]);
        assert!(queue.is_empty() && queue.tenants.is_empty() && queue.order.is_empty());
    }

    #[test]
    fn dear_items_take_as_many_turns_as_they_cost() {
        let mut queue = FairQueue::default();
        for item in 0..3 {
            queue.push(Tenant(1), 1_000_000, item);
            queue.push(Tenant(2), 500_000, 10 + item);
        }
        assert_eq!(drained(&mut queue), [10, 0, 11, 12, 1, 2]);
    }

    #[test]
    fn the_youngest_of_the_longest_is_pushed_out() {
        let mut queue = FairQueue::default();
        for (tenant, item) in [(1, 10), (2, 20), (2, 21), (1, 11), (2, 22)] {
            queue.push(Tenant(tenant), 1, item);
        }
        assert_eq!(queue.pop_last_of_longest(), Some(22));
        assert_eq!((queue.longest(), queue.tenants_with(Tenant(3))), (2, 3));
    }

    proptest! {
        /// Whatever comes and goes: nothing is lost, nothing is told twice, and no tenant that waits is passed over
        /// for longer than one turn of each other.
        #[test]
        fn nobody_is_lost_or_starved(
            steps in prop::collection::vec((0_u8..4, 0_u64..5, any::<prop::sample::Index>()), 1..300)
        ) {
            let mut queue = FairQueue::default();
            let mut there: Vec<(Tenant, u64, u64)> = Vec::new();
            let mut passed_over: HashMap<Tenant, usize> = HashMap::new();
            for (step, (what, tenant, which)) in steps.into_iter().enumerate() {
                let (tenant, step) = (Tenant(tenant), step as u64);
                match what {
                    0 | 1 => {
                        let id = queue.push(tenant, 1, step);
                        there.push((tenant, id, step));
                    }
                    2 if !there.is_empty() => {
                        let (tenant, id, item) = there.remove(which.index(there.len()));
                        prop_assert_eq!(queue.remove(tenant, id), Some(item));
                        prop_assert_eq!(queue.remove(tenant, id), None);
                        if !there.iter().any(|it| it.0 == tenant) {
                            // Whoever comes back is the last in the round.
                            passed_over.remove(&tenant);
                        }
                    }
                    _ => {
                        let Some(item) = queue.pop() else {
                            prop_assert!(there.is_empty());
                            continue;
                        };
                        let at = there.iter().position(|it| it.2 == item).expect("it waited");
                        let (served, _, _) = there.remove(at);
                        prop_assert!(!there[..at].iter().any(|it| it.0 == served), "not the oldest");
                        passed_over.remove(&served);
                        for (waiting, _, _) in &there {
                            passed_over.entry(*waiting).or_default();
                        }
                        passed_over.retain(|tenant, n| {
                            *n += 1;
                            there.iter().any(|it| it.0 == *tenant)
                        });
                        prop_assert!(passed_over.values().all(|n| *n <= 5), "{:?}", passed_over);
                    }
                }
                prop_assert_eq!(queue.len(), there.len());
            }
        }
    }
}
