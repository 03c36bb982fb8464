use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::admission::gate::MOST_WAITING;
use crate::admission::{Memory, Tenant};

fn ticket() -> Ticket {
    Ticket::new(Class::Predict, Tenant::ALL, None)
}

/// Jobs that run or have a place.
fn jobs(compute: &Compute) -> f64 {
    compute.utilization() * (MOST_WAITING + 1) as f64
}

#[tokio::test]
async fn a_panic_fails_one_job_and_no_other() {
    let compute = Compute::new(1).unwrap();
    let failed: Result<(), _> = compute.run(&mut ticket(), || panic!("seeded")).await;
    assert_eq!(failed, Err(ComputeError::Failed));
    assert_eq!(compute.run(&mut ticket(), || 7).await, Ok(7));
    assert_eq!(compute.utilization(), 0.0);
}

#[tokio::test]
async fn who_waits_for_a_turn_holds_no_thread() {
    let compute = Arc::new(Compute::new(1).unwrap());
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let held = Arc::clone(&turn).lock_owned().await;
    let after = |job: fn() -> i32| {
        let (compute, turn) = (Arc::clone(&compute), Arc::clone(&turn).lock_owned());
        tokio::spawn(async move { compute.run_after(&mut ticket(), turn, job).await })
    };
    let waiting = [after(|| 1), after(|| panic!("seeded")), after(|| 2)];
    while jobs(&compute) < 2.5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        compute.run(&mut ticket(), || 7).await,
        Ok(7),
        "the thread is free"
    );
    assert_eq!(jobs(&compute), 3.0, "they wait in their places");
    drop(held);
    let mut results = Vec::new();
    for job in waiting {
        results.push(job.await.unwrap());
    }
    assert_eq!(results, [Ok(1), Err(ComputeError::Failed), Ok(2)]);
    assert!(turn.try_lock().is_ok(), "every turn has ended");
}

/// A thread of `class` that is busy until the sender goes.
async fn busy(compute: &Arc<Compute>, class: Class) -> mpsc::Sender<()> {
    let (release, blocked) = mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let compute = Arc::clone(compute);
    tokio::spawn(async move {
        let mut ticket = Ticket::new(class, Tenant::ALL, None);
        let job = move || {
            let _ = began.send(());
            let _ = blocked.recv();
        };
        compute.run(&mut ticket, job).await
    });
    begun.await.expect("it begins");
    release
}

#[tokio::test]
async fn predicts_run_while_all_threads_of_fits_are_busy() {
    let compute = Arc::new(Compute::new(1).unwrap());
    let release = busy(&compute, Class::Fit).await;
    assert_eq!(compute.run(&mut ticket(), || 7).await, Ok(7));
    drop(release);
}

/// O8's control: on one pool for both, the predict waits for the fit.
#[tokio::test]
async fn of_one_pool_predicts_would_wait() {
    let compute = Arc::new(Compute::new(1).unwrap());
    let release = busy(&compute, Class::Fit).await;
    let in_time = Instant::now() + Duration::from_millis(50);
    let mut ticket = Ticket::new(Class::Fit, Tenant::ALL, Some(in_time));
    let waited = compute.run(&mut ticket, || 7).await;
    assert_eq!(waited, Err(ComputeError::Refused(Refusal::Deadline)));
    drop(release);
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_never_runs() {
    let compute = Arc::new(Compute::new(1).unwrap());
    let release = busy(&compute, Class::Fit).await;
    let ran = Arc::new(AtomicBool::new(false));
    let waiting = {
        let (compute, ran) = (Arc::clone(&compute), Arc::clone(&ran));
        tokio::spawn(async move {
            let mut ticket = Ticket::new(Class::Fit, Tenant::ALL, None);
            let job = move || ran.store(true, Ordering::SeqCst);
            compute.run(&mut ticket, job).await
        })
    };
    let stats = compute.gate(Class::Fit).stats();
    while stats.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!((stats.waiting(), stats.abandoned()), (0, 1));
    drop(release);
    let mut after = Ticket::new(Class::Fit, Tenant::ALL, None);
    assert_eq!(compute.run(&mut after, || 7).await, Ok(7));
    assert!(!ran.load(Ordering::SeqCst));
}

#[tokio::test]
async fn memory_of_a_job_is_counted_until_it_ends_even_if_its_caller_has_gone() {
    let compute = Arc::new(Compute::new(1).unwrap());
    let memory = Memory::new(1 << 20);
    let (release, blocked) = mpsc::channel::<()>();
    let caller = {
        let (compute, memory) = (Arc::clone(&compute), Arc::clone(&memory));
        tokio::spawn(async move {
            let mut ticket = Ticket::new(Class::Fit, Tenant::ALL, None);
            ticket.memory = Some(Arc::new(memory.reserve(1_000).unwrap()));
            compute
                .run(&mut ticket, move || blocked.recv().is_ok())
                .await
        })
    };
    let stats = compute.gate(Class::Fit).stats();
    while stats.running() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(memory.used(), 1_000, "the job has it still");
    drop(release);
    while memory.used() > 0 {
        tokio::task::yield_now().await;
    }
}
