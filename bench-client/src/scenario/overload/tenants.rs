//! O7: what a tenant that asks for a hundred times its share costs the others.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{GOOD_WITHIN, arriving};
use crate::base_url::BaseUrl;
use crate::load::hooks::Hook;
use crate::load::response::{OutcomeClass, ResponseRecord};
use crate::results::config::WorkloadSpec;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, Loaded, ScenarioError, lasting, shape};
use crate::scenario::outcome::p99_within;
use crate::stats::Sorted;
use crate::workload::Prepared;

/// Tenants, of which one floods.
const TENANTS: u64 = 50;
/// Its requests for each of another's.
const TIMES: u64 = 100;
/// Of the capacity, what all ask for together before it floods.
const CALM: f64 = 0.8;
const HEADER: &str = "x-tenant";
const GOOD: f64 = 0.95;
const SLOWER: f64 = 1.5;

/// Puts the tenant into the head of a request: one drawn by its number, the last as many times as `weight` says. In turn, all
/// others would come at once, and wait for each other whoever floods.
struct Tenants {
    weight: u64,
}

impl Tenants {
    fn of(&self, index: u64) -> u64 {
        let all = TENANTS - 1 + self.weight;
        let drawn = ChaCha8Rng::seed_from_u64(index).random_range(0..all);
        drawn.min(TENANTS - 1)
    }

    fn is_other(&self, record: &ResponseRecord) -> bool {
        self.of(record.index) < TENANTS - 1
    }
}

impl Hook for Tenants {
    fn name(&self) -> &str {
        "tenants"
    }

    fn before_request(&self, index: u64, request: &mut Prepared) {
        let Some(line) = request.bytes.windows(2).position(|it| it == b"\r\n") else {
            return;
        };
        let (first, rest) = request.bytes.split_at(line + 2);
        let header = format!("{HEADER}: tenant-{}\r\n", self.of(index));
        request.bytes = [first, header.as_bytes(), rest].concat().into();
    }
}

/// Plays both and holds the others' replies beside the flood against those without it.
pub(super) fn fairness(
    context: &Context<'_>,
    base: &BaseUrl,
    (capacity, spec): (f64, &WorkloadSpec),
    outcome: &mut Outcome,
) -> Result<(), ScenarioError> {
    let time = context.pick(Duration::from_secs(3), Duration::from_secs(20));
    let share = CALM * capacity / TENANTS as f64;
    let mut play = |name: &str, weight: u64| -> Result<Vec<ResponseRecord>, ScenarioError> {
        let tenants = Tenants { weight };
        let per_s = share * (TENANTS - 1 + weight) as f64;
        let load = shape(arriving(per_s), lasting(time), GOOD_WITHIN);
        let hooks: Vec<Box<dyn Hook>> = vec![Box::new(Tenants { weight })];
        let Loaded { records, data } =
            context.load_hooked(base, name, spec.clone(), load, hooks)?;
        super::figures(outcome, &format!("{name}, all tenants"), &data.stats);
        if records.iter().any(|record| record.status == Some(429)) || weight == 1 {
            Ok(records
                .into_iter()
                .filter(|it| tenants.is_other(it))
                .collect())
        } else {
            Ok(Vec::new())
        }
    };
    let calm = play("o7-calm", 1)?;
    let beside = play("o7-flood", TIMES)?;
    judge(outcome, &calm, &beside);
    Ok(())
}

fn judge(outcome: &mut Outcome, calm: &[ResponseRecord], beside: &[ResponseRecord]) {
    let served = "O7 ≥ 95 % of the other tenants' requests are good beside one at 100 ×";
    let latency = "O7 their p99 ≤ 1.5 × that without it";
    if beside.is_empty() {
        let why = "no reply was 429: start the server with --tenant-header X-Tenant";
        outcome.not_measurable(served, why);
        outcome.not_measurable(latency, why);
        return;
    }
    let within = GOOD_WITHIN.as_nanos() as u64;
    let took = |record: &ResponseRecord| record.last_ns - record.intended_ns;
    let is_ok = |record: &&ResponseRecord| record.class == OutcomeClass::Ok;
    let good = beside.iter().filter(is_ok).filter(|it| took(it) <= within);
    let share = good.count() as f64 / beside.len() as f64;
    outcome.timed(
        served,
        format_args!("{:.2} % of {}", 100.0 * share, beside.len()),
        share >= GOOD,
    );
    let ms = |records: &[ResponseRecord]| {
        let ok = records.iter().filter(is_ok);
        Sorted::new(ok.map(|record| took(record) as f64 / 1e6).collect())
    };
    match ms(calm).quantile(0.99) {
        Some(p99) => {
            outcome.figure("other tenants' p99 without the flood", p99, "ms");
            p99_within(outcome, latency, &ms(beside), SLOWER * p99);
        }
        None => outcome.not_measurable(latency, "nothing was answered without the flood"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::load::response::Op;

    #[test]
    fn the_last_tenant_has_its_weight_and_the_others_do_not_come_at_once() {
        let tenants = Tenants { weight: TIMES };
        let drawn: Vec<u64> = (0..100 * 149).map(|index| tenants.of(index)).collect();
        let of = |tenant: u64| drawn.iter().filter(|it| **it == tenant).count();
        assert!((50..150).contains(&of(0)) && (50..150).contains(&of(48)));
        assert!((9_500..10_500).contains(&of(49)), "{}", of(49));
        let others = |window: &[u64]| window.iter().filter(|it| **it < 49).count();
        let most = drawn.windows(49).map(others).max();
        assert!(most < Some(40), "{most:?}");
    }

    #[test]
    fn a_request_names_its_tenant() {
        let mut request = Prepared {
            op: Op::Predict,
            bytes: Bytes::from_static(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n{}"),
            points: 1,
        };
        let tenants = Tenants { weight: 1 };
        tenants.before_request(3, &mut request);
        let named = format!(
            "POST / HTTP/1.1\r\nx-tenant: tenant-{}\r\nhost: a\r\n\r\n{{}}",
            tenants.of(3)
        );
        assert_eq!(request.bytes, named);
    }
}
