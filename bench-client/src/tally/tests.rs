//! Laws of the tally, and faults of LLMeter 0.2.0 that it must not repeat.

use std::time::Duration;

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::durations::Durations;
use super::stats::RunStats;
use super::*;

const GOOD_WITHIN: Duration = Duration::from_millis(100);

/// A record of every kind that a run can leave, by a seed.
pub(crate) fn record(random: &mut ChaCha8Rng, index: u64, span_ns: u64) -> ResponseRecord {
    let class = OutcomeClass::ALL[random.random_range(0..CLASSES)];
    let whole = !matches!(class, OutcomeClass::TimedOut | OutcomeClass::Transport);
    let status = match class {
        OutcomeClass::Ok => 200,
        OutcomeClass::Shed => 429,
        OutcomeClass::Refused => 422,
        _ => 500,
    };
    let intended_ns = random.random_range(0..span_ns);
    let sent_ns = intended_ns + random.random_range(0..3_000_000);
    let first_ns = sent_ns + random.random_range(1..200_000_000);
    let points = random.random_range(0..100);
    ResponseRecord {
        index,
        op: Op::ALL[random.random_range(0..OPS)],
        client: random.random_range(0..16),
        intended_ns,
        sent_ns,
        waited_ns: random
            .random::<bool>()
            .then(|| random.random_range(1..1_000_000)),
        first_ns: whole.then_some(first_ns),
        last_ns: first_ns + random.random_range(0..5_000_000),
        class,
        status: whole.then_some(status),
        points_in: points,
        points_out: if class == OutcomeClass::Ok { points } else { 0 },
        bytes_out: random.random_range(0..10_000),
        bytes_in: random.random_range(0..10_000),
        server_ns: whole.then(|| random.random_range(0..100_000_000)),
        error: (class != OutcomeClass::Ok && random.random())
            .then(|| format!("error {}", random.random_range(0..30)).into()),
    }
}

pub(crate) fn records(seed: u64, n: u64, span_ns: u64) -> Vec<ResponseRecord> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|index| record(&mut random, index, span_ns))
        .collect()
}

/// Figures of `n` records of every kind.
pub(crate) fn sample_stats(n: u64) -> RunStats {
    tally(&records(11, n, 10_000_000_000)).stats()
}

pub(crate) fn tally(records: &[ResponseRecord]) -> Tally {
    let mut tally = Tally::new(GOOD_WITHIN);
    records.iter().for_each(|record| tally.add(record));
    tally
}

fn stats_of(durations: &[u64]) -> super::stats::LatencyStats {
    let mut tally = Durations::default();
    durations.iter().for_each(|&ns| tally.record(ns));
    tally.stats()
}

#[test]
fn p99_above_the_maximum_for_few_samples() {
    for ns in [
        1,
        1_999,
        123_456_789,
        59_999_999_999,
        1_200_000_000_001,
        u64::MAX,
    ] {
        for n in 1..6 {
            let stats = stats_of(&vec![ns; n]);
            for quantile in &stats.quantiles {
                assert_eq!(quantile.value_ns, ns, "{n} times {ns}, {}", quantile.q);
            }
        }
    }
    let stats = stats_of(&[10_000_001, 20_000_003, 30_000_007]);
    assert_eq!(stats.at(0.99).unwrap().value_ns, 30_000_007);
    assert!(!stats.at(0.99).unwrap().enough);
}

#[test]
fn memory_that_grows_with_every_response() {
    // The same span of time, so that the same windows exist; the second is a hundred times the load.
    let size = |n: u64| {
        let mut tally = Tally::new(GOOD_WITHIN);
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for index in 0..n {
            tally.add(&record(&mut random, index, 60_000_000_000));
        }
        tally.heap_bytes()
    };
    let few = size(10_000);
    assert_eq!(few, size(1_000_000));
    assert!(few < Tally::MOST_BYTES, "{few}");
}

#[test]
fn a_flood_of_different_messages_stays_within_the_bound() {
    let mut tally = Tally::new(GOOD_WITHIN);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for index in 0..20_000 {
        let mut record = record(&mut random, index, u64::MAX / 4);
        record.class = OutcomeClass::Failed;
        record.status = Some((index % 1_000) as u16);
        record.error = Some(match index % 10 {
            0 => "the commonest".into(),
            _ => format!("{index}{}", "ü".repeat(10_000)).into(),
        });
        tally.add(&record);
    }
    assert!(
        tally.heap_bytes() < Tally::MOST_BYTES,
        "{}",
        tally.heap_bytes()
    );
    let stats = tally.stats();
    assert_eq!(stats.errors.len(), failures::REPORTED);
    assert_eq!(stats.errors[0].message, "the commonest");
    assert_eq!(
        (stats.errors[0].count, stats.errors[0].first_index),
        (2_000, 0)
    );
    assert_eq!(told(&stats), 20_000);
}

/// Failures in `errors` and beside them.
fn told(stats: &RunStats) -> u64 {
    stats.errors.iter().map(|kind| kind.count).sum::<u64>() + stats.other_errors
}

#[test]
fn rates_are_by_the_send_window_and_by_the_wall_clock() {
    let mut one = records(1, 1, 1).remove(0);
    one.class = OutcomeClass::Ok;
    let at = |index: u64, sent_ms: u64, last_ms: u64| ResponseRecord {
        index,
        intended_ns: sent_ms * 1_000_000,
        sent_ns: sent_ms * 1_000_000,
        last_ns: last_ms * 1_000_000,
        ..one.clone()
    };
    // Sent at 1.0, 1.5 and 2.0 s, done at 1.05, 1.9 and 4.0 s.
    let stats = tally(&[
        at(2, 2_000, 4_000),
        at(0, 1_000, 1_050),
        at(1, 1_500, 1_900),
    ])
    .stats();
    let window = &stats.send_window;
    assert_eq!(window.window_ns, 1_000_000_000);
    assert_eq!(window.offered_rps, Some(2.0));
    assert_eq!(window.requests_per_minute, Some(180.0));
    assert!(!window.says_nothing);
    assert_eq!(stats.completed_rps, Some(0.75));
    assert_eq!((stats.good, stats.goodput_rps), (1, Some(0.25)));
    assert_eq!(stats.late_sends, 0);

    // A burst: the window is shorter than the latencies.
    let burst = tally(&[at(0, 0, 500), at(1, 1, 500), at(2, 2, 500)]).stats();
    assert!(burst.send_window.says_nothing);
    let single = tally(&[at(0, 0, 500)]).stats();
    assert!(single.send_window.says_nothing);
    assert_eq!(single.send_window.offered_rps, None);
}

#[test]
fn a_send_is_late_after_more_than_a_millisecond_and_its_wait_is_latency() {
    let mut late = records(1, 1, 1).remove(0);
    late.class = OutcomeClass::Ok;
    (late.intended_ns, late.sent_ns, late.last_ns) = (0, 1_000_000, 3_000_000);
    assert_eq!(tally(&[late.clone()]).stats().late_sends, 0);
    late.sent_ns += 1;
    let stats = tally(&[late]).stats();
    assert_eq!(stats.late_sends, 1);
    assert_eq!(stats.ok.last.max_ns, Some(3_000_000));
    assert_eq!(stats.ok.service.max_ns, Some(1_999_999));
    assert_eq!(stats.ok.send_lag.max_ns, Some(1_000_001));
}

#[test]
fn streams_have_a_time_a_point() {
    let mut stream = records(1, 1, 1).remove(0);
    (stream.class, stream.op) = (OutcomeClass::Ok, Op::Ndjson);
    (stream.intended_ns, stream.first_ns, stream.last_ns) = (0, Some(1_000), 10_000);
    stream.points_out = 10;
    let ok = tally(&[stream.clone()]).stats().ok;
    assert_eq!(
        (ok.first.max_ns, ok.per_point.max_ns),
        (Some(1_000), Some(1_000))
    );
    stream.points_out = 1;
    assert_eq!(tally(&[stream.clone()]).stats().ok.per_point.count, 0);
    (stream.op, stream.points_out) = (Op::Columns, 10);
    assert_eq!(
        tally(&[stream]).stats().ok.per_point.count,
        0,
        "not a stream"
    );
}

#[test]
fn latencies_of_different_outcomes_are_never_mixed() {
    let records = records(3, 5_000, 1_000_000_000);
    let stats = tally(&records).stats();
    for class in OutcomeClass::ALL {
        let of_class = || records.iter().filter(|record| record.class == class);
        let longest = of_class()
            .map(|record| record.last_ns - record.intended_ns)
            .max();
        let latencies = &stats.by_outcome[&class];
        assert_eq!(latencies.count, of_class().count() as u64);
        assert_eq!(latencies.max_ns, longest);
    }
    assert_eq!(stats.by_outcome[&OutcomeClass::Ok], stats.ok.last);
    let ok_of_ops: u64 = stats.by_op.values().map(|op| op.last.count).sum();
    assert_eq!(ok_of_ops, stats.ok.last.count);
    assert_eq!(told(&stats), stats.requests - stats.count(OutcomeClass::Ok));
}

#[test]
fn a_stall_is_in_the_timeline_where_it_was() {
    let mut records = records(5, 3_000, 30_000_000_000);
    for record in &mut records {
        record.class = OutcomeClass::Ok;
        let stalled = (10_000_000_000..12_000_000_000).contains(&record.intended_ns);
        record.sent_ns = record.intended_ns;
        record.last_ns = if stalled {
            12_000_000_000
        } else {
            record.intended_ns + 1_000_000
        };
    }
    let timeline = tally(&records).stats().timeline;
    assert_eq!(
        timeline.window_ns, 200_000_000,
        "30 s in at most 240 windows"
    );
    assert_eq!(timeline.windows.len(), 150);
    let ended = |window: usize| timeline.windows[window].outcomes.values().sum::<u64>();
    assert!(
        (50..59).all(|window| ended(window) <= 1),
        "nothing ended during the stall"
    );
    assert!(timeline.windows[60].max_ns.unwrap() > 1_900_000_000);
    assert_eq!(timeline.windows[40].p99_ns, Some(1_000_000));
    let sent: u64 = timeline.windows.iter().map(|window| window.sent).sum();
    assert_eq!(sent, 3_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_responses_does_not_matter(
        seed in any::<u64>(),
        n in 0..3_000_u64,
        span_ns in prop::sample::select(vec![1, 1_000_000_000, 25_000_000_000, 1 << 62]),
    ) {
        let mut records = records(seed, n, span_ns);
        let stats = tally(&records).stats();
        records.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(stats, tally(&records).stats());
    }

    /// Against the sorted sample: nearest rank, to three digits, never outside the extremes.
    #[test]
    fn quantiles_are_those_of_the_sorted_sample_to_three_digits(
        mut sample in prop::collection::vec(prop_oneof![0..5_000_u64, 0..600_000_000_000_u64], 1..800),
    ) {
        let stats = stats_of(&sample);
        sample.sort_unstable();
        prop_assert_eq!((stats.min_ns, stats.max_ns), (sample.first().copied(), sample.last().copied()));
        let n = sample.len() as f64;
        let mean = sample.iter().map(|&ns| ns as f64).sum::<f64>() / n;
        let variance = sample.iter().map(|&ns| (ns as f64 - mean).powi(2)).sum::<f64>() / n;
        prop_assert!((stats.mean_ns.unwrap() - mean).abs() <= mean * 1e-12);
        prop_assert!((stats.stddev_ns.unwrap() - variance.sqrt()).abs() <= mean * 1e-6 + 1e-6);
        for quantile in &stats.quantiles {
            let rank = (n * quantile.q - 1e-6).ceil() as usize;
            let exact = sample[rank - 1];
            prop_assert!(exact.abs_diff(quantile.value_ns) <= exact / 1_000, "{} {:?}", exact, quantile);
            prop_assert!((sample[0]..=sample[sample.len() - 1]).contains(&quantile.value_ns));
            prop_assert!(quantile.low_ns.is_none_or(|low| low <= quantile.value_ns));
            prop_assert!(quantile.high_ns.is_none_or(|high| high >= quantile.value_ns));
        }
        prop_assert!(stats.quantiles.is_sorted_by_key(|quantile| quantile.value_ns));
        prop_assert_eq!(stats.bins.iter().map(|bin| bin.count).sum::<u64>(), stats.count);
        prop_assert!(stats.bins.is_sorted_by(|a, b| a.to_ns <= b.from_ns));
        prop_assert!(stats.bins.len() <= 300);
    }

    /// A merged distribution is that of all durations.
    #[test]
    fn merging_is_adding(a in prop::collection::vec(0..u64::MAX / 2, 0..50), b in prop::collection::vec(0..u64::MAX / 2, 0..50)) {
        let (mut left, mut right) = (Durations::default(), Durations::default());
        a.iter().for_each(|&ns| left.record(ns));
        b.iter().for_each(|&ns| right.record(ns));
        left.merge(&right);
        prop_assert_eq!(left.stats(), stats_of(&[a, b].concat()));
    }
}
