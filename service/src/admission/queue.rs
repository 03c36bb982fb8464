//! A queue in which tenants take turns: whoever has used least of late is served first.
//!
//! Each tenant has a queue of its own, first come, first served, and an account of what it has used, which is forgotten
//! within seconds (`FORGOTTEN_S`). Of the tenants that wait, the one with the smallest account is served, and pays the
//! cost of its job. What a tenant uses thus approaches the max-min share, as with the fair queues of Demers, Keshav &
//! Shenker (SIGCOMM 1989) and deficit round robin (Shreedhar & Varghese, SIGCOMM 1995).
//!
//! These forget a tenant as soon as it does not wait. In a queue of a few places that would not do: small tenants hardly
//! ever wait, a large one always does, and would get a turn for each of theirs and every free place.

use std::collections::{HashMap, VecDeque};

use super::Tenant;

/// Seconds after which e⁻¹ of what was used is left on the account.
const FORGOTTEN_S: f64 = 2.0;
/// Accounts of tenants that do not wait, at most; the largest are kept.
const MOST_ACCOUNTS: usize = 1_024;
/// An account this small is as good as none.
const NOTHING: f64 = 0.01;

/// Items of tenants that wait for their turn.
pub struct FairQueue<T> {
    waiting: HashMap<Tenant, VecDeque<Item<T>>, ahash::RandomState>,
    accounts: HashMap<Tenant, Account, ahash::RandomState>,
    len: usize,
    next: u64,
}

struct Item<T> {
    id: u64,
    cost: f64,
    item: T,
}

#[derive(Clone, Copy)]
struct Account {
    used: f64,
    at: f64,
}

impl Account {
    fn now(self, now: f64) -> f64 {
        self.used * (-(now - self.at).max(0.0) / FORGOTTEN_S).exp()
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::default(),
            accounts: HashMap::default(),
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
        self.waiting.get(&tenant).map_or(0, VecDeque::len)
    }

    /// Tenants that wait, `tenant` counted in any case.
    #[must_use]
    pub fn tenants_with(&self, tenant: Tenant) -> usize {
        self.waiting.len() + usize::from(!self.waiting.contains_key(&tenant))
    }

    /// What `tenant` has used of late, in units of cost.
    #[must_use]
    pub fn used(&self, tenant: Tenant, now: f64) -> f64 {
        let account = self.accounts.get(&tenant);
        account.map_or(0.0, |account| account.now(now))
    }

    /// The most that one tenant has used of late.
    #[must_use]
    pub fn most_used(&self, now: f64) -> f64 {
        let used = self.accounts.values().map(|account| account.now(now));
        used.fold(0.0, f64::max)
    }

    /// What `tenant` has used and waits for.
    #[must_use]
    pub fn claimed(&self, tenant: Tenant, now: f64) -> f64 {
        self.used(tenant, now) + self.len_of(tenant) as f64
    }

    /// Of those that wait, who has used and waits for most, and how much that is.
    #[must_use]
    pub fn largest(&self, now: f64) -> Option<(Tenant, f64)> {
        let claimed = self.waiting.keys().map(|it| (*it, self.claimed(*it, now)));
        claimed.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Puts `item` behind those of its tenant. What is returned takes it out again.
    pub fn push(&mut self, tenant: Tenant, cost: f64, item: T) -> u64 {
        let id = self.next;
        self.next += 1;
        let waiting = self.waiting.entry(tenant).or_default();
        waiting.push_back(Item { id, cost, item });
        self.len += 1;
        id
    }

    /// Puts `cost` on the account of `tenant`.
    pub fn pay(&mut self, tenant: Tenant, cost: f64, now: f64) {
        let account = self.accounts.entry(tenant);
        let account = account.or_insert(Account { used: 0.0, at: now });
        account.used = account.now(now) + cost;
        account.at = now;
        if self.accounts.len() > MOST_ACCOUNTS {
            self.forget(now);
        }
    }

    /// Drops accounts of nothing, and of the rest those below ever larger bounds until there are half as many.
    fn forget(&mut self, now: f64) {
        let mut bound = NOTHING;
        while self.accounts.len() > MOST_ACCOUNTS / 2 {
            self.accounts.retain(|_, account| account.now(now) > bound);
            bound *= 2.0;
        }
    }

    /// Takes the item whose turn it is, and has its tenant pay for it.
    pub fn pop(&mut self, now: f64) -> Option<T> {
        // Of equal accounts, that of who came first.
        let first = |tenant| self.waiting[tenant].front().map_or(u64::MAX, |it| it.id);
        let turn = self.waiting.keys().min_by(|a, b| {
            let (a_used, b_used) = (self.used(**a, now), self.used(**b, now));
            a_used.total_cmp(&b_used).then(first(a).cmp(&first(b)))
        });
        let tenant = *turn?;
        let Item { cost, item, .. } = self.waiting.get_mut(&tenant)?.pop_front()?;
        self.taken(tenant);
        self.pay(tenant, cost, now);
        Some(item)
    }

    /// Takes out the item that [`push`](Self::push) called `id`, unless its turn has come.
    pub fn remove(&mut self, tenant: Tenant, id: u64) -> Option<T> {
        let waiting = self.waiting.get_mut(&tenant)?;
        let at = waiting.iter().position(|item| item.id == id)?;
        let item = waiting.remove(at)?.item;
        self.taken(tenant);
        Some(item)
    }

    /// Takes out the last item of `tenant` that `may_go`.
    pub fn pop_last_of(&mut self, tenant: Tenant, may_go: impl Fn(&T) -> bool) -> Option<T> {
        let waiting = self.waiting.get_mut(&tenant)?;
        let at = waiting.iter().rposition(|it| may_go(&it.item))?;
        let item = waiting.remove(at)?.item;
        self.taken(tenant);
        Some(item)
    }

    fn taken(&mut self, tenant: Tenant) {
        self.len -= 1;
        if self.len_of(tenant) == 0 {
            self.waiting.remove(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drained(queue: &mut FairQueue<u64>) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop(0.0)).collect()
    }

    #[test]
    fn tenants_take_turns_and_are_served_in_their_own_order() {
        let mut queue = FairQueue::default();
        for item in 10..15 {
            queue.push(Tenant(1), 1.0, item);
        }
        queue.push(Tenant(2), 1.0, 20);
        queue.push(Tenant(2), 1.0, 21);
        queue.push(Tenant(3), 1.0, 30);
        assert_eq!(drained(&mut queue), [10, 20, 30, 11, 21, 12, 13, 14]);
        assert!(queue.is_empty() && queue.waiting.is_empty());
    }

    #[test]
    fn dear_items_take_as_many_turns_as_they_cost() {
        let mut queue = FairQueue::default();
        for item in 0..3 {
            queue.push(Tenant(1), 3.0, item);
            queue.push(Tenant(2), 1.0, 10 + item);
        }
        assert_eq!(drained(&mut queue), [0, 10, 11, 12, 1, 2]);
    }

    #[test]
    fn who_has_used_much_waits_for_who_has_not_until_it_is_forgotten() {
        let mut queue = FairQueue::default();
        queue.pay(Tenant(1), 100.0, 0.0);
        queue.pay(Tenant(2), 10.0, 0.0);
        for item in 0..3 {
            queue.push(Tenant(1), 1.0, 10 + item);
            queue.push(Tenant(2), 1.0, 20 + item);
        }
        assert_eq!(queue.largest(0.0), Some((Tenant(1), 103.0)));
        assert_eq!([(); 4].map(|()| queue.pop(0.0)), [20, 21, 22, 10].map(Some));
        assert!(queue.used(Tenant(1), 20.0) < NOTHING);
    }

    #[test]
    fn accounts_of_any_number_of_tenants_have_a_bound() {
        let mut queue = FairQueue::<()>::default();
        queue.pay(Tenant(0), 50.0, 0.0);
        for tenant in 1..100_000 {
            queue.pay(Tenant(tenant), 1.0, 1e-6 * tenant as f64);
        }
        assert!(queue.accounts.len() <= MOST_ACCOUNTS);
        assert!(queue.used(Tenant(0), 0.1) > 40.0, "the largest is kept");
    }

    proptest! {
        /// Whatever comes and goes: nothing is lost, nothing is told twice, a tenant's items are served in order, and
        /// before any of a tenant that has used more.
        #[test]
        fn nobody_is_lost_or_passed_over(
            steps in prop::collection::vec((0_u8..4, 0_u64..5, any::<prop::sample::Index>()), 1..300)
        ) {
            let mut queue = FairQueue::default();
            let mut there: Vec<(Tenant, u64, u64)> = Vec::new();
            for (step, (what, tenant, which)) in steps.into_iter().enumerate() {
                let (tenant, step, now) = (Tenant(tenant), step as u64, step as f64 / 100.0);
                match what {
                    0 | 1 => {
                        let id = queue.push(tenant, 1.0, step);
                        there.push((tenant, id, step));
                    }
                    2 if !there.is_empty() => {
                        let (tenant, id, item) = there.remove(which.index(there.len()));
                        prop_assert_eq!(queue.remove(tenant, id), Some(item));
                        prop_assert_eq!(queue.remove(tenant, id), None);
                    }
                    _ => {
                        let used: HashMap<_, _> =
                            there.iter().map(|it| (it.0, queue.used(it.0, now))).collect();
                        let Some(item) = queue.pop(now) else {
                            prop_assert!(there.is_empty());
                            continue;
                        };
                        let at = there.iter().position(|it| it.2 == item).expect("it waited");
                        let (served, _, _) = there.remove(at);
                        prop_assert!(!there[..at].iter().any(|it| it.0 == served), "not the oldest");
                        prop_assert!(used.values().all(|other| *other >= used[&served]));
                    }
                }
                prop_assert_eq!(queue.len(), there.len());
            }
        }
    }
}
