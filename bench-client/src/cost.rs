//! What a run would cost: a model of prices, contributed to the results as a hook.
//!
//! The cost is that of the measured requests; fits and warm-up before the run are not in it. Points
//! and fits count where they had a 2xx reply, instances for as long as the run took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::hooks::Hook;
use crate::load::response::{Op, OutcomeClass};
use crate::results::config::RunConfig;
use crate::tally::stats::RunStats;

/// What the figures are filed under.
pub const NAME: &str = "cost";

const NS_PER_HOUR: f64 = 3.6e12;

/// Prices, in one currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostModel {
    /// Of a million scored points.
    pub per_million_points: f64,
    /// Of a fit.
    pub per_fit: f64,
    /// Of an instance of the service for an hour.
    pub per_instance_hour: f64,
    /// Instances that serve.
    pub instances: u32,
    /// What the currency is called, such as `USD`.
    pub currency: String,
}

/// What a run cost by a model, in the model's currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// The prices.
    pub model: CostModel,
    /// Of the points that were scored.
    pub points: f64,
    /// Of the fits that succeeded.
    pub fits: f64,
    /// Of the instances while the run went on.
    pub instances: f64,
    /// All of that.
    pub total: f64,
    /// The total by a thousand 2xx replies; none without any.
    pub per_1000_ok: Option<f64>,
    /// The total by a million scored points; none without any.
    pub per_million_points: Option<f64>,
    /// What an hour at this pace would cost; none for a run of no length.
    pub per_hour: Option<f64>,
}

impl CostModel {
    /// What the responses of a run cost.
    #[must_use]
    pub fn of(&self, stats: &RunStats) -> Cost {
        let fits = stats.by_op.get(&Op::Fit);
        let fits = fits.and_then(|op| op.outcomes.get(&OutcomeClass::Ok));
        let hours = stats.wall_ns as f64 / NS_PER_HOUR;
        let points = stats.points_out as f64 / 1e6 * self.per_million_points;
        let fits = fits.copied().unwrap_or_default() as f64 * self.per_fit;
        let instances = hours * self.per_instance_hour * f64::from(self.instances);
        let total = points + fits + instances;
        let by = |amount: f64| (amount > 0.0).then(|| total / amount);
        Cost {
            model: self.clone(),
            points,
            fits,
            instances,
            total,
            per_1000_ok: by(stats.count(OutcomeClass::Ok) as f64 / 1e3),
            per_million_points: by(stats.points_out as f64 / 1e6),
            per_hour: by(hours),
        }
    }
}

impl Hook for CostModel {
    fn name(&self) -> &str {
        NAME
    }

    fn after_run(&self, _config: &RunConfig, stats: &RunStats) -> Option<serde_json::Value> {
        serde_json::to_value(self.of(stats)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::hooks;
    use crate::results::config::Bound;
    use crate::results::fixture;
    use crate::tally::tests::sample_stats;

    /// Prices and amounts whose products a double has exactly.
    fn model() -> CostModel {
        CostModel {
            per_million_points: 0.5,
            per_fit: 0.25,
            per_instance_hour: 2.0,
            instances: 3,
            currency: "EUR".into(),
        }
    }

    fn half_an_hour() -> RunStats {
        let mut stats = sample_stats(1_000);
        stats.wall_ns = 1_800_000_000_000;
        stats.points_out = 4_000_000;
        stats.outcomes.insert(OutcomeClass::Ok, 16_000);
        let fits = stats.by_op.get_mut(&Op::Fit).unwrap();
        fits.requests = 100;
        fits.outcomes.insert(OutcomeClass::Ok, 8);
        stats
    }

    #[test]
    fn every_part_to_the_last_digit() {
        let cost = model().of(&half_an_hour());
        assert_eq!(cost.points, 2.0);
        assert_eq!(cost.fits, 2.0, "failed fits are free");
        assert_eq!(cost.instances, 3.0);
        assert_eq!(cost.total, 7.0);
        assert_eq!(cost.per_1000_ok, Some(0.4375));
        assert_eq!(cost.per_million_points, Some(1.75));
        assert_eq!(cost.per_hour, Some(14.0));
    }

    #[test]
    fn a_run_without_replies_costs_its_instances_alone() {
        let mut stats = sample_stats(0);
        stats.wall_ns = 1_800_000_000_000;
        let cost = model().of(&stats);
        assert_eq!((cost.points, cost.fits, cost.total), (0.0, 0.0, 3.0));
        assert_eq!((cost.per_1000_ok, cost.per_million_points), (None, None));
        stats.wall_ns = 0;
        assert_eq!(model().of(&stats).per_hour, None);
    }

    #[test]
    fn it_is_contributed_under_its_name_and_read_back() {
        let config = fixture::config(Bound::Requests { n: 1 });
        let stats = half_an_hour();
        let hooks: Vec<Box<dyn Hook>> = vec![Box::new(model())];
        let contributed = hooks::after_run(&hooks, &config, &stats);
        let figures = contributed.get(NAME).unwrap();
        let read: Cost = serde_json::from_value(figures.clone()).unwrap();
        assert_eq!(read, model().of(&stats));
        assert_eq!(figures["model"]["currency"], "EUR");
    }
}
