//! What happens to a state when the store refuses, fails or takes its time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compact_str::CompactString;
use detectors::Params;
use tempfile::TempDir;

use super::{OnlineStates, Opened, Pass, Scored, StartRequest, Updating};
use crate::registry::reads::StoreReads;
use crate::registry::{Monitors, RegistryError};
use crate::store::{
    AliasCompletion, AliasPut, AliasRecord, Completion, DeleteCompletion, DeleteListener,
    DeletePut, EmbeddedOptions, EmbeddedStore, Found, Head, KeptAnswer, Put, PutError, RequestKey,
    StateCompletion, StatePut, Store, StoreError, StoredState, VersionSelector, Waits,
};

/// What becomes of a change.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Stored,
    /// Refused at once, nothing written.
    Refused,
    /// Lost on the way, and found out later.
    Failed,
    /// Stored, and its completion kept until it is let go.
    Held,
}

/// A store whose changes of states have the fate that a test sets.
struct Fickle {
    store: EmbeddedStore,
    fate: Mutex<Fate>,
    held: Mutex<Vec<StateCompletion>>,
    _folder: TempDir,
}

impl Fickle {
    fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        Arc::new(Self {
            store: EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap(),
            fate: Mutex::new(Fate::Stored),
            held: Mutex::default(),
            _folder: folder,
        })
    }

    fn set(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
    }

    fn let_go(&self) {
        for done in std::mem::take(&mut *self.held.lock().unwrap()) {
            done(Ok(()));
        }
    }
}

impl Store for Fickle {
    fn submit(&self, put: Put, done: Completion) {
        self.store.submit(put, done);
    }

    fn submit_state(&self, put: StatePut, done: StateCompletion) {
        match *self.fate.lock().unwrap() {
            Fate::Stored => self.store.submit_state(put, done),
            Fate::Refused => done(Err(PutError::Busy)),
            Fate::Failed => {
                std::thread::spawn(|| done(Err(PutError::Unknown("seeded".into()))));
            }
            Fate::Held => {
                let (sender, stored) = std::sync::mpsc::channel();
                let tell = move |outcome: Result<(), PutError>| sender.send(outcome).unwrap();
                self.store.submit_state(put, Box::new(tell));
                stored.recv().unwrap().unwrap();
                self.held.lock().unwrap().push(done);
            }
        }
    }

    fn state(&self, series: &str) -> Result<Option<StoredState>, StoreError> {
        self.store.state(series)
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        self.store.version(series, selector)
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.training(series, version)
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.store.submit_alias(put, done);
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        self.store.alias(series, alias)
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        self.store.aliases(series)
    }

    fn submit_delete(&self, put: DeletePut, done: DeleteCompletion) {
        self.store.submit_delete(put, done);
    }

    fn on_delete(&self, listener: DeleteListener) {
        self.store.on_delete(listener);
    }

    fn head(&self, series: &str) -> Result<Head, StoreError> {
        self.store.head(series)
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        self.store.answered(series, key)
    }

    fn series_count(&self) -> u64 {
        self.store.series_count()
    }

    fn refusal(&self) -> Option<String> {
        self.store.refusal()
    }

    fn waits(&self) -> Waits {
        self.store.waits()
    }

    fn close(&self) {
        self.store.close();
    }
}

fn states(store: &Arc<Fickle>, budget: usize) -> Arc<OnlineStates> {
    let monitors = Arc::new(Monitors::new(usize::MAX, Arc::default()));
    let store: Arc<dyn Store> = Arc::<Fickle>::clone(store);
    Arc::new(OnlineStates::new(
        Arc::clone(&store),
        Arc::new(StoreReads::of(store)),
        monitors,
        budget,
        Arc::default(),
    ))
}

fn points(from: i64, to: i64) -> Vec<(i64, f64)> {
    (from..to)
        .map(|i| (60 * i, (i * 7_919 % 101) as f64))
        .collect()
}

async fn open(states: &Arc<OnlineStates>, request: StartRequest) -> Updating {
    match states.open("a", request).await {
        Ok(Opened::Ready(updating)) => updating,
        Ok(Opened::Start(_)) => panic!("there is no version"),
        Err(error) => panic!("{error}"),
    }
}

async fn learn(
    states: &Arc<OnlineStates>,
    points: &[(i64, f64)],
) -> Result<Vec<Scored>, RegistryError> {
    let applied = open(states, StartRequest::default()).await.apply(points)?;
    applied.pending.durable().await?;
    Ok(applied.scored)
}

async fn bytes(states: &Arc<OnlineStates>) -> Vec<u8> {
    let look = states.look("a", |live, _| live.online.encode()).await;
    look.unwrap()
}

/// The bytes of a state that learnt these points without a fault.
async fn expected(points: &[(i64, f64)]) -> Vec<u8> {
    let states = states(&Fickle::new(), usize::MAX);
    learn(&states, points).await.unwrap();
    bytes(&states).await
}

#[tokio::test]
async fn a_refused_change_leaves_the_state_as_it_was() {
    let store = Fickle::new();
    let states = states(&store, usize::MAX);
    store.set(Fate::Refused);
    let refused = learn(&states, &points(0, 5)).await;
    assert!(matches!(refused, Err(RegistryError::Put(PutError::Busy))));
    store.set(Fate::Stored);
    learn(&states, &points(0, 300)).await.unwrap();
    store.set(Fate::Refused);
    let refused = learn(&states, &points(300, 400)).await;
    assert!(matches!(refused, Err(RegistryError::Put(PutError::Busy))));
    store.set(Fate::Stored);
    let scored = learn(&states, &points(300, 310)).await.unwrap();
    assert_eq!(
        scored[0].state_seq, 301,
        "the refused points took no number"
    );
    assert_eq!(bytes(&states).await, expected(&points(0, 310)).await);
}

#[tokio::test]
async fn a_state_is_not_told_of_after_a_write_that_may_have_failed() {
    let store = Fickle::new();
    let before = states(&store, 0);
    learn(&before, &points(0, 300)).await.unwrap();
    store.set(Fate::Failed);
    let failed = learn(&before, &points(300, 310)).await;
    assert!(matches!(failed, Err(RegistryError::Put(_))));
    store.set(Fate::Stored);
    // Whoever needs the memory does not make it forget that.
    before.evict();
    // Neither the points that are lost nor those after them are learnt by halves.
    let later = learn(&before, &points(310, 311)).await;
    assert!(matches!(
        later,
        Err(RegistryError::Put(PutError::Closed(_)))
    ));
    let looked = before.summary("a").await;
    assert!(matches!(
        looked,
        Err(RegistryError::Put(PutError::Closed(_)))
    ));
    // A restart finds what is stored, and goes on from there.
    let after = states(&store, usize::MAX);
    assert_eq!(bytes(&after).await, expected(&points(0, 300)).await);
    let scored = learn(&after, &points(300, 310)).await.unwrap();
    assert_eq!(scored[0].state_seq, 301);
}

#[tokio::test]
async fn a_state_with_a_change_under_way_is_not_dropped() {
    let store = Fickle::new();
    let states = states(&store, 0);
    learn(&states, &points(0, 10)).await.unwrap();
    store.set(Fate::Held);
    let mut updating = open(&states, StartRequest::default()).await;
    let applied = updating.apply(&points(10, 20)).unwrap();
    drop(updating);
    states.evict();
    assert_eq!(states.len(), 1, "its change is under way");
    store.let_go();
    applied.pending.durable().await.unwrap();
    states.evict();
    assert!(states.is_empty());
    assert_eq!(states.bytes.load(Ordering::Relaxed), 0);
    assert_eq!(bytes(&states).await, expected(&points(0, 20)).await);
}

#[tokio::test]
async fn states_that_are_only_looked_at_are_dropped_too() {
    let store = Fickle::new();
    learn(&states(&store, usize::MAX), &points(0, 3))
        .await
        .unwrap();
    let states = states(&store, 0);
    states.summary("a").await.unwrap();
    for _ in 0..1_000 {
        if states.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the state that was read is still there");
}

#[test]
fn a_pass_that_panics_is_not_the_last() {
    let states = states(&Fickle::new(), 0);
    let pass = Pass::begin(&states).unwrap();
    assert!(Pass::begin(&states).is_none(), "one at a time");
    let panicked = std::thread::spawn(move || {
        let _pass = pass;
        panic!("seeded");
    });
    assert!(panicked.join().is_err());
    assert!(Pass::begin(&states).is_some());
}

#[tokio::test]
async fn the_second_to_start_a_state_is_told_so_if_it_had_another_wish() {
    let states = states(&Fickle::new(), usize::MAX);
    let wish = |alarm_rate| StartRequest {
        params: Params {
            alarm_rate: Some(alarm_rate),
            ..Params::default()
        },
        first_given: Some("alarm_rate"),
        first_of_params: Some("alarm_rate"),
        ..StartRequest::default()
    };
    let mut first = open(&states, wish(0.01)).await;
    let mut second = open(&states, wish(0.02)).await;
    let mut third = open(&states, StartRequest::default()).await;
    let mut fourth = open(&states, wish(0.01)).await;
    first.apply(&points(0, 1)).unwrap();
    let exists = second.apply(&points(1, 2)).err();
    assert!(matches!(
        exists,
        Some(RegistryError::OnlineStateExists {
            parameter: "alarm_rate",
            ..
        })
    ));
    let applied = third.apply(&points(1, 2)).unwrap();
    assert_eq!(applied.scored[0].state_seq, 2);
    let applied = fourth.apply(&points(2, 3)).unwrap();
    assert_eq!(applied.scored[0].state_seq, 3);
    let summary = states.summary("a").await.unwrap();
    assert_eq!((summary.alarm_rate, summary.state_seq), (0.01, 3));
}

#[tokio::test]
async fn updates_of_one_series_take_turns() {
    let states = states(&Fickle::new(), usize::MAX);
    let first = open(&states, StartRequest::default()).await;
    let second = open(&states, StartRequest::default()).await;
    let other = states.open("b", StartRequest::default()).await;
    let Ok(Opened::Ready(other)) = other else {
        panic!("there is no version");
    };
    let turn = first.turn().await;
    let early = tokio::time::timeout(Duration::ZERO, second.turn()).await;
    assert!(early.is_err());
    drop(other.turn().await);
    drop(turn);
    drop(second.turn().await);
}

#[tokio::test]
async fn what_does_not_exist_takes_no_memory() {
    let beside = Arc::new(AtomicUsize::new(0));
    let monitors = Arc::new(Monitors::new(usize::MAX, Arc::default()));
    let store: Arc<dyn Store> = Fickle::new();
    let states = OnlineStates::new(
        Arc::clone(&store),
        Arc::new(StoreReads::of(store)),
        monitors,
        usize::MAX,
        Arc::clone(&beside),
    );
    let states = Arc::new(states);
    for i in 0..50 {
        let series = format!("s{i}");
        assert!(states.summary(&series).await.is_err());
        let from = StartRequest {
            from: Some(VersionSelector::Exactly(1)),
            ..StartRequest::default()
        };
        assert!(states.open(&series, from).await.is_err());
        // Whoever opens a state may find that there is no point to start it with.
        let first = states.open(&series, StartRequest::default()).await;
        let second = states.open(&series, StartRequest::default()).await;
        assert!(first.is_ok() && second.is_ok());
    }
    assert!(states.is_empty());
    assert_eq!(beside.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_stored_point_that_cannot_be_learnt_again_is_an_error() {
    let store = Fickle::new();
    learn(&states(&store, usize::MAX), &points(0, 3))
        .await
        .unwrap();
    let late = crate::store::Learnt {
        first_seq: 4,
        points: points(1, 2),
    };
    let (sender, stored) = std::sync::mpsc::channel();
    let put = StatePut {
        series: "a".into(),
        life: 0,
        change: crate::store::StateChange::Points {
            first_seq: 4,
            record: late.seal(),
        },
    };
    store.submit_state(put, Box::new(move |outcome| sender.send(outcome).unwrap()));
    stored.recv().unwrap().unwrap();
    let looked = states(&store, usize::MAX).summary("a").await;
    assert!(matches!(
        looked,
        Err(RegistryError::Store(StoreError::Damaged { .. }))
    ));
}
