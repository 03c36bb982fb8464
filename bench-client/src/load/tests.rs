//! The loops against a server of a few lines that can be slow, busy or rude.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::engine::{Bound, Ended, Engine, Pace, Plan, counters};
use super::hooks::Hook;
use super::recorder;
use super::response::{Op, OutcomeClass, ResponseRecord};
use crate::interrupt::{self, Stop};
use crate::workload::Prepared;

type Behave = dyn Fn(u64) -> Behaviour + Send + Sync;

/// What the server does with its n-th request.
enum Behaviour {
    Answer(&'static str),
    AnswerAfter(Duration),
    /// Close without a word.
    Drop,
    /// Answer, then close without having said so.
    AnswerAndClose,
    Hang,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-response-time: 0.50ms\r\n\r\n{}";

/// A thread a connection; counts requests over all of them.
fn server(
    behave: impl Fn(u64) -> Behaviour + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let (count, behave): (_, Arc<Behave>) = (Arc::clone(&seen), Arc::new(behave));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (count, behave) = (Arc::clone(&count), Arc::clone(&behave));
            thread::spawn(move || serve(&stream.unwrap(), &count, &*behave));
        }
    });
    (address, seen)
}

fn serve(stream: &TcpStream, count: &AtomicU64, behave: &Behave) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        let mut length = 0;
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        let mut answer = |text: &str| writer.write_all(text.as_bytes()).is_ok();
        let goes_on = match behave(count.fetch_add(1, Ordering::SeqCst)) {
            Behaviour::Answer(text) => answer(text),
            Behaviour::AnswerAfter(pause) => {
                thread::sleep(pause);
                answer(OK)
            }
            Behaviour::Drop => return,
            Behaviour::AnswerAndClose => {
                answer(OK);
                return;
            }
            Behaviour::Hang => loop {
                thread::park();
            },
        };
        if !goes_on {
            return;
        }
    }
}

fn get(_index: u64) -> Prepared {
    Prepared {
        op: Op::Predict,
        bytes: Bytes::from_static(b"GET /healthcheck HTTP/1.1\r\nhost: x\r\n\r\n"),
        points: 1,
    }
}

fn plan(address: SocketAddr, pace: Pace) -> Plan {
    Plan {
        address,
        timeout: Duration::from_secs(20),
        threads: 2,
        pace,
        source: Arc::new(get),
        hooks: Arc::from([]),
        keep: 0,
        ledger: None,
    }
}

fn closed(clients: u32, until: Bound) -> Pace {
    Pace::Closed { clients, until }
}

fn open(per_s: u64, max_connections: u32, until: Bound) -> Pace {
    Pace::Open {
        moments: Box::new(move || Box::new((0..).map(move |k| k * 1_000_000_000 / per_s))),
        connections: 2,
        max_connections,
        until,
    }
}

/// Runs a plan to its end; records in the order of their index.
fn run(plan: Plan) -> (Vec<ResponseRecord>, Ended) {
    let (_handle, stop) = interrupt::manual();
    run_until(plan, &stop)
}

fn run_until(plan: Plan, stop: &Stop) -> (Vec<ResponseRecord>, Ended) {
    let (sender, receiver) = recorder::channel(false);
    let counters = counters(plan.threads);
    let engine = Engine::start(plan, &counters, &sender, stop).unwrap();
    drop(sender);
    let mut records: Vec<_> = receiver.iter().flat_map(|batch| batch.records).collect();
    let ended = engine.join().unwrap();
    records.sort_unstable_by_key(|record| record.index);
    (records, ended)
}

fn indices(records: &[ResponseRecord]) -> Vec<u64> {
    records.iter().map(|record| record.index).collect()
}

#[test]
fn a_count_bound_closed_loop_sends_every_request_once() {
    let (address, seen) = server(|_| Behaviour::Answer(OK));
    let (records, ended) = run(plan(address, closed(3, Bound::Requests(10))));
    assert_eq!(indices(&records), (0..10).collect::<Vec<_>>());
    assert_eq!(seen.load(Ordering::SeqCst), 10);
    assert_eq!(ended.unsent, 0);
    for record in &records {
        assert!(record.client < 3);
        assert_eq!((record.class, record.status), (OutcomeClass::Ok, Some(200)));
        assert_eq!((record.points_in, record.points_out), (1, 1));
        assert_eq!(record.server_ns, Some(500_000));
        assert_eq!(record.intended_ns, record.sent_ns, "a closed loop");
        let first = record.first_ns.unwrap();
        assert!(record.sent_ns <= first && first <= record.last_ns);
        assert_eq!(record.bytes_in as usize, OK.len());
    }
}

#[test]
fn every_client_sends_its_own_number_of_requests() {
    let (address, _) = server(|n| match n % 3 {
        0 => Behaviour::AnswerAfter(Duration::from_millis(3)),
        _ => Behaviour::Answer(OK),
    });
    let (records, _) = run(plan(address, closed(4, Bound::RequestsPerClient(5))));
    assert_eq!(indices(&records), (0..20).collect::<Vec<_>>());
    for client in 0..4 {
        assert_eq!(records.iter().filter(|r| r.client == client).count(), 5);
    }
}

/// Were requests dealt out to clients beforehand, those with slow ones would fall behind.
#[test]
fn a_mix_keeps_its_weights_when_one_kind_is_slow() {
    let (address, _) = server(|n| match n % 10 {
        0 => Behaviour::AnswerAfter(Duration::from_millis(20)),
        _ => Behaviour::Answer(OK),
    });
    let time = Duration::from_millis(300);
    let (records, _) = run(plan(address, closed(10, Bound::After(time))));
    let sent = records.len() as u64;
    assert_eq!(indices(&records), (0..sent).collect::<Vec<_>>());
}

#[test]
fn a_time_bound_run_sends_nothing_after_its_deadline_and_finishes_what_it_sent() {
    let pause = Duration::from_millis(60);
    let (address, seen) = server(move |_| Behaviour::AnswerAfter(pause));
    let time = Duration::from_millis(150);
    for pace in [
        closed(2, Bound::After(time)),
        open(100, 50, Bound::After(time)),
    ] {
        let before = seen.load(Ordering::SeqCst);
        let (records, ended) = run(plan(address, pace));
        assert!(!records.is_empty());
        assert_eq!(records.len() as u64, seen.load(Ordering::SeqCst) - before);
        for record in &records {
            assert_eq!(record.class, OutcomeClass::Ok, "{record:?}");
            assert!(record.last_ns - record.sent_ns >= 60_000_000);
            // A send that the scheduler delays past the deadline was decided on before it.
            assert!(record.intended_ns < 150_000_000 || record.intended_ns == record.sent_ns);
        }
        assert_eq!(ended.unsent, 0);
    }
}

#[test]
fn an_open_loop_counts_the_wait_for_a_connection() {
    let pause = Duration::from_millis(50);
    let (address, _) = server(move |_| Behaviour::AnswerAfter(pause));
    // Ten at about once over two connections: the last waits for four replies.
    let (records, ended) = run(plan(address, open(10_000, 2, Bound::Requests(10))));
    assert_eq!(indices(&records), (0..10).collect::<Vec<_>>());
    assert_eq!(ended.unsent, 0);
    let waits = records
        .iter()
        .map(|record| record.last_ns - record.intended_ns);
    assert!(waits.max().unwrap() >= 240_000_000);
    let services = records
        .iter()
        .map(|record| record.sent_ns - record.intended_ns);
    assert!(
        services.max().unwrap() >= 190_000_000,
        "the wait is in the client"
    );
    for (k, record) in records.iter().enumerate() {
        assert_eq!(record.intended_ns, k as u64 * 100_000, "fixed beforehand");
        assert!(record.sent_ns >= record.intended_ns, "never early");
    }
}

#[test]
fn an_open_loop_opens_connections_when_none_is_free() {
    let pause = Duration::from_millis(80);
    let (address, _) = server(move |_| Behaviour::AnswerAfter(pause));
    let (records, _) = run(plan(address, open(10_000, 12, Bound::Requests(12))));
    let mut clients: Vec<_> = records.iter().map(|record| record.client).collect();
    clients.sort_unstable();
    clients.dedup();
    assert!(clients.len() > 6, "{clients:?}");
    let longest = records
        .iter()
        .map(|record| record.last_ns - record.intended_ns);
    assert!(longest.max().unwrap() >= 80_000_000);
}

#[test]
fn arrivals_still_waiting_at_the_deadline_are_counted_and_not_sent() {
    let (address, seen) = server(|_| Behaviour::AnswerAfter(Duration::from_millis(300)));
    let time = Duration::from_millis(100);
    let (records, ended) = run(plan(address, open(1_000, 2, Bound::After(time))));
    assert_eq!(records.len(), 2);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    assert_eq!(ended.unsent, 98);
}

#[test]
fn outcomes_keep_their_classes_apart() {
    let (address, _) = server(|n| match n {
        0 => Behaviour::Answer("HTTP/1.1 429 X\r\ncontent-length: 0\r\n\r\n"),
        1 => Behaviour::Answer("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"),
        2 => Behaviour::Answer(
            "HTTP/1.1 422 X\r\ncontent-length: 49\r\n\r\n{\"code\":\"too_few_points\",\"detail\":\"3 are needed\"}",
        ),
        3 => Behaviour::Answer("HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops"),
        4 => Behaviour::Drop,
        5 => Behaviour::Hang,
        _ => Behaviour::Answer(OK),
    });
    let mut plan = plan(address, closed(1, Bound::Requests(8)));
    plan.threads = 1;
    plan.timeout = Duration::from_millis(300);
    let (records, _) = run(plan);
    let classes: Vec<_> = records.iter().map(|record| record.class).collect();
    assert_eq!(
        classes,
        [
            OutcomeClass::Shed,
            OutcomeClass::Shed,
            OutcomeClass::Refused,
            OutcomeClass::Failed,
            OutcomeClass::Transport,
            OutcomeClass::TimedOut,
            OutcomeClass::Ok,
            OutcomeClass::Ok,
        ]
    );
    let error = |i: usize| records[i].error.as_deref().unwrap_or_default();
    assert_eq!(error(2), "HTTP 422: too_few_points: 3 are needed");
    assert_eq!(error(3), "HTTP 500: oops");
    assert_eq!(error(4), "the connection was closed before a reply");
    assert_eq!(error(5), "no whole reply within 300ms");
    let timeout = &records[5];
    assert!(timeout.last_ns - timeout.sent_ns >= 300_000_000);
    assert_eq!((timeout.status, timeout.points_out), (None, 0));
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_no_failure() {
    let (address, _) = server(|_| Behaviour::AnswerAndClose);
    // Far enough apart for the close to arrive.
    let (records, _) = run(plan(address, open(20, 4, Bound::Requests(6))));
    for record in &records {
        assert_eq!(record.class, OutcomeClass::Ok, "{record:?}");
    }
}

#[test]
fn a_refused_connection_is_a_transport_failure_that_does_not_spin() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let begun = Instant::now();
    let (records, _) = run(plan(address, closed(2, Bound::Requests(6))));
    assert_eq!(records.len(), 6);
    for record in &records {
        assert_eq!(record.class, OutcomeClass::Transport);
        let error = record.error.as_deref().unwrap();
        assert!(
            error.contains("cannot connect") && error.contains("refused"),
            "{error}"
        );
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(20),
        "a pause after each"
    );
}

#[test]
fn a_stop_drops_what_is_in_flight_and_keeps_what_was_measured() {
    let (address, seen) = server(|n| match n {
        0..4 => Behaviour::Answer(OK),
        _ => Behaviour::Hang,
    });
    let (handle, stop) = interrupt::manual();
    let watcher = thread::spawn(move || {
        while seen.load(Ordering::SeqCst) < 6 {
            thread::sleep(Duration::from_millis(1));
        }
        handle.stop();
        handle
    });
    let (records, _) = run_until(plan(address, closed(2, Bound::Requests(100))), &stop);
    drop(watcher.join().unwrap());
    assert_eq!(records.len(), 4);
}

/// Hooks see each request before its clock starts: one that dawdles is in no latency.
#[test]
fn hooks_are_outside_the_timed_span() {
    struct Slow;
    impl Hook for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn before_request(&self, _index: u64, request: &mut Prepared) {
            thread::sleep(Duration::from_millis(150));
            request.points = 7;
        }
    }
    let (address, _) = server(|_| Behaviour::Answer(OK));
    let mut plan = plan(address, closed(1, Bound::Requests(3)));
    plan.threads = 1;
    plan.hooks = Arc::from([Box::new(Slow) as Box<dyn Hook>]);
    let (records, _) = run(plan);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.points_in == 7));
    // The hook of the next request runs after the reply to this one: the sends are as far apart
    // as the hook takes, and at least one reply was not held up by the machine for as long.
    assert!(
        records
            .windows(2)
            .all(|pair| pair[1].sent_ns - pair[0].last_ns >= 150_000_000)
    );
    let quickest = records
        .iter()
        .map(|record| record.last_ns - record.sent_ns)
        .min();
    assert!(quickest.unwrap() < 150_000_000);
}
