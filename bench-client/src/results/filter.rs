//! Which responses of a saved run are looked at.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::load::response::{Op, OutcomeClass, ResponseRecord};

/// What a response has to be to pass; whatever is empty or none lets all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Kinds of request.
    pub ops: Vec<Op>,
    /// Outcomes.
    pub outcomes: Vec<OutcomeClass>,
    /// Statuses, −1 standing for no reply.
    pub statuses: Vec<i32>,
    /// Numbers of requests.
    pub indices: Option<RangeInclusive<u64>>,
    /// Intended at this time of the run or later. Times count from then on: the figures are those
    /// of a run that began there.
    pub from_ns: Option<u64>,
    /// Intended earlier than this.
    pub to_ns: Option<u64>,
    /// Latency, from the intended start, above this.
    pub above_ns: Option<u64>,
    /// Latency below this.
    pub below_ns: Option<u64>,
}

impl Filter {
    /// Whether every response passes, at its own time.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a response passes.
    #[must_use]
    pub fn passes(&self, record: &ResponseRecord) -> bool {
        let latency_ns = record.last_ns.saturating_sub(record.intended_ns);
        let status = record.status.map_or(-1, i32::from);
        let one_of = |empty: bool, contains: bool| empty || contains;
        one_of(self.ops.is_empty(), self.ops.contains(&record.op))
            && one_of(
                self.outcomes.is_empty(),
                self.outcomes.contains(&record.class),
            )
            && one_of(self.statuses.is_empty(), self.statuses.contains(&status))
            && self
                .indices
                .as_ref()
                .is_none_or(|range| range.contains(&record.index))
            && self.from_ns.is_none_or(|from| record.intended_ns >= from)
            && self.to_ns.is_none_or(|to| record.intended_ns < to)
            && self.above_ns.is_none_or(|above| latency_ns > above)
            && self.below_ns.is_none_or(|below| latency_ns < below)
    }

    /// How long a run that lasted so long did on the filter's axis, as far as the filter tells: some
    /// requests by their numbers may have been over long before.
    pub(super) fn lasted(&self, run: Duration) -> Duration {
        if self.indices.is_some() {
            return Duration::ZERO;
        }
        let to = self
            .to_ns
            .map_or(run, |to| run.min(Duration::from_nanos(to)));
        to.saturating_sub(Duration::from_nanos(self.from_ns.unwrap_or_default()))
    }

    /// Puts the times of a response that passed on the filter's axis.
    pub(super) fn shift(&self, record: &mut ResponseRecord) {
        let Some(from) = self.from_ns else { return };
        record.intended_ns = record.intended_ns.saturating_sub(from);
        record.sent_ns = record.sent_ns.saturating_sub(from);
        record.first_ns = record.first_ns.map(|first| first.saturating_sub(from));
        record.last_ns = record.last_ns.saturating_sub(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::{records, tally};

    fn passing(filter: &Filter, records: &[ResponseRecord]) -> Vec<ResponseRecord> {
        let passing = records.iter().filter(|record| filter.passes(record));
        let shifted = passing.cloned().map(|mut record| {
            filter.shift(&mut record);
            record
        });
        shifted.collect()
    }

    #[test]
    fn every_condition_leaves_what_it_says() {
        let records = records(2, 2_000, 10_000_000_000);
        let latency = |record: &ResponseRecord| record.last_ns - record.intended_ns;
        let check = |filter: Filter, is: &dyn Fn(&ResponseRecord) -> bool| {
            let left = records
                .iter()
                .filter(|record| filter.passes(record))
                .count();
            assert_eq!(left, records.iter().filter(|record| is(record)).count());
            assert!(left > 0 && left < records.len(), "{filter:?}");
            assert!(!filter.is_everything());
        };
        let all = Filter::default();
        let ops = vec![Op::Fit, Op::Predict];
        check(Filter { ops, ..all.clone() }, &|r| {
            matches!(r.op, Op::Fit | Op::Predict)
        });
        let outcomes = vec![OutcomeClass::Shed];
        check(
            Filter {
                outcomes,
                ..all.clone()
            },
            &|r| r.class == OutcomeClass::Shed,
        );
        let statuses = vec![-1, 422];
        check(
            Filter {
                statuses,
                ..all.clone()
            },
            &|r| matches!(r.status, None | Some(422)),
        );
        check(
            Filter {
                indices: Some(5..=9),
                ..all.clone()
            },
            &|r| (5..10).contains(&r.index),
        );
        let (from_ns, to_ns) = (Some(3_000_000_000), Some(4_000_000_000));
        check(
            Filter {
                from_ns,
                ..all.clone()
            },
            &|r| r.intended_ns >= 3_000_000_000,
        );
        check(
            Filter {
                to_ns,
                ..all.clone()
            },
            &|r| r.intended_ns < 4_000_000_000,
        );
        let (above_ns, below_ns) = (Some(50_000_000), Some(90_000_000));
        check(
            Filter {
                above_ns,
                ..all.clone()
            },
            &|r| latency(r) > 50_000_000,
        );
        check(
            Filter {
                below_ns,
                ..all.clone()
            },
            &|r| latency(r) < 90_000_000,
        );
        let both = Filter {
            from_ns,
            to_ns,
            above_ns,
            ..all.clone()
        };
        check(both, &|r| {
            r.intended_ns / 1_000_000_000 == 3 && latency(r) > 50_000_000
        });
        assert!(all.is_everything() && records.iter().all(|record| all.passes(record)));
    }

    #[test]
    fn rates_of_a_stretch_of_time_are_those_of_the_stretch() {
        let mut records = records(2, 1_000, 1);
        for record in &mut records {
            // A hundred a second, quick.
            record.intended_ns = record.index * 10_000_000;
            record.sent_ns = record.intended_ns;
            record.last_ns = record.intended_ns + 1_000_000;
        }
        let filter = Filter {
            from_ns: Some(6_000_000_000),
            to_ns: Some(8_000_000_000),
            ..Filter::default()
        };
        let stats = tally(&passing(&filter, &records)).stats();
        assert_eq!(stats.requests, 200);
        let rate = stats.completed_rps.unwrap();
        assert!((rate - 100.0).abs() < 1.0, "{rate}");
        assert_eq!(stats.send_window.first_sent_ns, Some(0));
    }
}
