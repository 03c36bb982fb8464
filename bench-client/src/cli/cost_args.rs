//! Prices, as flags that several commands share.

use clap::Args;

use crate::cost::CostModel;

/// What the service costs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What it costs")]
pub(super) struct CostArgs {
    /// Price of a million scored points, such as --cost-per-million-points 0.5
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, value_parser = price)]
    pub(super) cost_per_million_points: Option<f64>,

    /// Price of a fit, such as --cost-per-fit 0.001
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, value_parser = price)]
    pub(super) cost_per_fit: Option<f64>,

    /// Price of an instance of the service for an hour, such as --cost-per-instance-hour 0.2
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, value_parser = price)]
    pub(super) cost_per_instance_hour: Option<f64>,

    /// Instances that serve [default: 1]
    #[arg(long, value_name = "N", requires = "cost_per_instance_hour")]
    #[arg(value_parser = super::args::bounded(1_000_000))]
    pub(super) instances: Option<u32>,

    /// What the prices are in [default: USD]
    #[arg(long, value_name = "NAME")]
    pub(super) currency: Option<String>,
}

impl CostArgs {
    /// The model that the flags ask for; none without a price.
    pub(super) fn model(&self) -> Option<CostModel> {
        let prices = [
            self.cost_per_million_points,
            self.cost_per_fit,
            self.cost_per_instance_hour,
        ];
        let [points, fit, hour] = prices.map(Option::unwrap_or_default);
        prices.iter().any(Option::is_some).then(|| CostModel {
            per_million_points: points,
            per_fit: fit,
            per_instance_hour: hour,
            instances: self.instances.unwrap_or(1),
            currency: self.currency.clone().unwrap_or_else(|| "USD".to_owned()),
        })
    }
}

fn price(text: &str) -> Result<f64, String> {
    let price = text.parse().ok();
    let price = price.filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "expected a price, such as 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        cost: CostArgs,
    }

    fn model(flags: &[&str]) -> Result<Option<CostModel>, clap::Error> {
        let line = std::iter::once(&"x").chain(flags);
        Ok(Line::try_parse_from(line)?.cost.model())
    }

    #[test]
    fn any_price_makes_a_model() {
        assert_eq!(model(&[]).unwrap(), None);
        let hours = model(&["--cost-per-instance-hour=0.2", "--instances=3"]);
        let expected = CostModel {
            per_million_points: 0.0,
            per_fit: 0.0,
            per_instance_hour: 0.2,
            instances: 3,
            currency: "USD".to_owned(),
        };
        assert_eq!(hours.unwrap(), Some(expected));
        let fits = model(&["--cost-per-fit=0.001", "--currency=EUR"]);
        let fits = fits.unwrap().unwrap();
        assert_eq!((fits.per_fit, fits.currency.as_str()), (0.001, "EUR"));
    }

    #[test]
    fn prices_that_are_none_are_usage_errors() {
        for flags in [
            &["--cost-per-fit=-1"][..],
            &["--cost-per-fit=inf"],
            &["--cost-per-fit=free"],
            &["--instances=2"],
        ] {
            assert_eq!(model(flags).expect_err(flags[0]).exit_code(), 2);
        }
    }
}
