use std::time::Duration;

use super::*;

/// A queue of exactly `length`.
fn gate(length: usize) -> Arc<Gate> {
    let law = Law {
        floor: 1e9,
        services: 5.0,
        least: length,
        burst: 0,
        most: length,
    };
    Gate::with_law(1, law)
}

fn ticket(tenant: u64) -> Ticket {
    Ticket::new(Class::Predict, Tenant(tenant), None)
}

type Answer = tokio::task::JoinHandle<Result<Permit, Refusal>>;

/// Asks, and returns once the gate has heard it.
async fn asked(gate: &Arc<Gate>, ticket: Ticket) -> Answer {
    let before = gate.stats.waiting() + refusals(gate);
    let answer = {
        let gate = Arc::clone(gate);
        tokio::spawn(async move { gate.enter(&ticket).await })
    };
    while gate.stats.waiting() + refusals(gate) == before && !answer.is_finished() {
        tokio::task::yield_now().await;
    }
    answer
}

fn refusals(gate: &Gate) -> usize {
    let all = Refusal::ALL.map(|refusal| gate.stats.refused(refusal));
    all.iter().sum::<u64>() as usize
}

async fn refusal(answer: Answer) -> Option<Refusal> {
    answer.await.unwrap().err()
}

#[tokio::test]
async fn a_full_queue_refuses_and_an_empty_one_takes() {
    let gate = gate(2);
    let running = gate.enter(&ticket(0)).await.unwrap();
    let first = asked(&gate, ticket(0)).await;
    let second = asked(&gate, ticket(0)).await;
    assert_eq!(gate.check(&ticket(0)), Err(Refusal::QueueFull));
    let third = asked(&gate, ticket(0)).await;
    assert_eq!(refusal(third).await, Some(Refusal::QueueFull));
    drop(running);
    drop(first.await.unwrap().unwrap());
    drop(second.await.unwrap().unwrap());
    let stats = gate.stats();
    assert_eq!((stats.running(), stats.waiting()), (0, 0));
    assert_eq!(
        stats.refused(Refusal::QueueFull),
        2,
        "one of them asked only"
    );
    gate.enter(&ticket(0)).await.unwrap();
}

#[tokio::test]
async fn an_idle_thread_serves_nobody_whose_deadline_has_passed() {
    let gate = gate(2);
    let now = Instant::now();
    let mut late = ticket(0);
    late.deadline = Some(now);
    let refused = gate.enter(&late).await;
    assert_eq!(refused.err(), Some(Refusal::Deadline));
    let stats = gate.stats();
    assert_eq!((stats.running(), stats.refused(Refusal::Deadline)), (0, 1));
    // The controls: one with time left, and one that has changed something.
    late.carry_through();
    gate.enter(&late).await.unwrap();
    let mut in_time = ticket(0);
    in_time.deadline = Some(now + Duration::from_secs(600));
    gate.enter(&in_time).await.unwrap();
}

#[tokio::test]
async fn what_was_begun_is_not_refused() {
    let gate = gate(1);
    let running = gate.enter(&ticket(0)).await.unwrap();
    let waiting = asked(&gate, ticket(0)).await;
    let mut begun = ticket(0);
    begun.carry_through();
    let begun = asked(&gate, begun).await;
    drop(running);
    assert!(waiting.await.unwrap().is_ok() && begun.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_tenant_below_its_share_gets_the_place_of_the_one_with_the_most() {
    let gate = gate(4);
    let running = gate.enter(&ticket(1)).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..4 {
        flood.push(asked(&gate, ticket(1)).await);
    }
    let small = asked(&gate, ticket(2)).await;
    assert_eq!(gate.stats.waiting(), 4);
    let pushed_out = flood.pop().unwrap();
    assert_eq!(refusal(pushed_out).await, Some(Refusal::TenantShare));
    let more = asked(&gate, ticket(1)).await;
    assert_eq!(refusal(more).await, Some(Refusal::TenantShare));
    assert_eq!(gate.check(&ticket(1)), Err(Refusal::TenantShare));
    assert_eq!(gate.check(&ticket(3)), Ok(()));
    drop(running);
    // Whoever has used least is first, although the others were there before.
    let first = small.await.unwrap().unwrap();
    assert!(flood.iter().all(|answer| !answer.is_finished()));
    drop(first);
    for answer in flood {
        drop(answer.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn what_was_begun_is_not_pushed_out() {
    let gate = gate(1);
    let running = gate.enter(&ticket(1)).await.unwrap();
    let mut begun = ticket(1);
    begun.carry_through();
    let begun = asked(&gate, begun).await;
    let small = asked(&gate, ticket(2)).await;
    assert_eq!(refusal(small).await, Some(Refusal::QueueFull));
    drop(running);
    assert!(begun.await.unwrap().is_ok());
}

/// O7's control: with one tenant for all, the flood takes every place.
#[tokio::test]
async fn of_one_tenant_the_flood_takes_every_place() {
    let gate = gate(4);
    let _running = gate.enter(&ticket(0)).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..4 {
        flood.push(asked(&gate, ticket(0)).await);
    }
    let small = asked(&gate, ticket(0)).await;
    assert_eq!(refusal(small).await, Some(Refusal::QueueFull));
}

#[tokio::test]
async fn where_each_tenant_has_its_share_there_is_no_capacity_left() {
    let gate = gate(2);
    let _running = gate.enter(&ticket(4)).await.unwrap();
    let _first = asked(&gate, ticket(1)).await;
    let _second = asked(&gate, ticket(2)).await;
    let third = asked(&gate, ticket(3)).await;
    assert_eq!(refusal(third).await, Some(Refusal::QueueFull));
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue_ends_the_wait() {
    let gate = gate(2);
    let running = gate.enter(&ticket(0)).await.unwrap();
    let soon = Instant::now() + Duration::from_millis(20);
    let waiting = gate
        .enter(&Ticket::new(Class::Predict, Tenant::ALL, Some(soon)))
        .await;
    assert_eq!(waiting.err(), Some(Refusal::Deadline));
    assert_eq!((gate.stats.waiting(), gate.stats.abandoned()), (0, 0));
    drop(running);
    assert_eq!(gate.stats.running(), 0);
}

#[tokio::test]
async fn a_wait_longer_than_the_deadline_is_refused_at_once() {
    let gate = gate(8);
    gate.lock().limit.ended(10.0);
    let _running = gate.enter(&ticket(0)).await.unwrap();
    let _waiting = asked(&gate, ticket(0)).await;
    let within = |s| Ticket::new(Class::Predict, Tenant::ALL, Some(Instant::now() + s));
    let refused = gate.check(&within(Duration::from_secs(5)));
    assert_eq!(refused, Err(Refusal::Deadline));
    assert_eq!(gate.check(&within(Duration::from_secs(60))), Ok(()));
}

#[tokio::test]
async fn who_leaves_has_no_place() {
    let gate = gate(1);
    let running = gate.enter(&ticket(0)).await.unwrap();
    let waiting = asked(&gate, ticket(0)).await;
    waiting.abort();
    assert!(waiting.await.is_err());
    assert_eq!((gate.stats.waiting(), gate.stats.abandoned()), (0, 1));
    let next = asked(&gate, ticket(0)).await;
    drop(running);
    next.await.unwrap().unwrap();
}

/// Somebody who has a permit.
struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Many come and go at once on many threads: no permit is lost and none is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_permit_is_lost_or_made() {
    let gate = gate(64);
    let running = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..400_u64)
        .map(|n| {
            let (gate, running) = (Arc::clone(&gate), Arc::clone(&running));
            let task = tokio::spawn(async move {
                let Ok(permit) = gate.enter(&ticket(n % 5)).await else {
                    return;
                };
                let alone = Inside(running);
                assert_eq!(alone.0.fetch_add(1, Relaxed), 0, "one thread");
                tokio::task::yield_now().await;
                drop(alone);
                drop(permit);
            });
            (n, task)
        })
        .collect();
    for (n, task) in tasks {
        if n % 7 == 0 {
            task.abort();
        }
        if let Err(error) = task.await {
            assert!(error.is_cancelled(), "{error}");
        }
    }
    let stats = gate.stats();
    assert_eq!((stats.running(), stats.waiting()), (0, 0));
    gate.enter(&ticket(0)).await.unwrap();
}
