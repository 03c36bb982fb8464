//! `serve --demo`: real series to look at on the first run.
//!
//! Five series of the Numenta Anomaly Benchmark (MIT licence, service/demo/README.md) are in the
//! binary, so that the demo works wherever the binary does.

use std::io::Read;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use detectors::Params;
use flate2::read::GzDecoder;

use crate::registry::{FitJob, Registry, RegistryError};
use crate::store::VersionSelector;
use crate::store::training::TrainingPoints;

/// An example series.
pub struct Example {
    /// The id it is fitted under.
    pub series: &'static str,
    /// One line for people.
    pub about: &'static str,
    csv_gz: &'static [u8],
}

macro_rules! example {
    ($series:literal, $file:literal, $about:literal) => {
        Example {
            series: $series,
            about: $about,
            csv_gz: include_bytes!(concat!("../demo/", $file, ".csv.gz")),
        }
    };
}

/// The examples.
pub const EXAMPLES: [Example; 5] = [
    example!(
        "nyc-taxi-passengers",
        "nyc_taxi",
        "New York taxi passengers a half-hour, July 2014 to January 2015"
    ),
    example!(
        "ec2-cpu-24ae8d",
        "ec2_cpu_utilization_24ae8d",
        "CPU of a cloud instance, per cent, every 5 minutes"
    ),
    example!(
        "elb-requests-8c0756",
        "elb_request_count_8c0756",
        "requests at a load balancer, every 5 minutes"
    ),
    example!(
        "traffic-speed-6005",
        "speed_6005",
        "speed of road traffic at one sensor, about every 5 minutes"
    ),
    example!(
        "tweets-aapl",
        "Twitter_volume_AAPL",
        "tweets that mention AAPL, every 5 minutes"
    ),
];

impl Example {
    /// The series' points.
    ///
    /// # Errors
    /// When the data in the binary is not what it should be.
    pub fn points(&self) -> Result<TrainingPoints, String> {
        let mut csv = String::new();
        GzDecoder::new(self.csv_gz)
            .read_to_string(&mut csv)
            .map_err(|error| error.to_string())?;
        let mut points = TrainingPoints {
            timestamps: Vec::new(),
            values: Vec::new(),
        };
        for line in csv.lines().skip(1) {
            let (timestamp, value) = line
                .split_once(',')
                .ok_or_else(|| format!("{line:?} has no comma"))?;
            points.timestamps.push(
                timestamp
                    .parse()
                    .map_err(|error| format!("{line:?}: {error}"))?,
            );
            points.values.push(
                value
                    .parse()
                    .map_err(|error| format!("{line:?}: {error}"))?,
            );
        }
        Ok(points)
    }
}

/// Fits the examples that the store does not have yet and says on stdout where to look.
///
/// # Errors
/// When an example cannot be fitted or stored.
pub async fn fit_examples(registry: &Registry, addr: SocketAddr) -> Result<(), String> {
    println!("example series:");
    for example in &EXAMPLES {
        match registry
            .model(example.series, VersionSelector::Latest)
            .await
        {
            Ok(_) => {}
            Err(RegistryError::UnknownSeries(_)) => fit(registry, example).await?,
            Err(error) => return Err(format!("{}: {error}", example.series)),
        }
        println!("  {:<20} {}", example.series, example.about);
        println!(
            "  {:<20} http://{addr}/plot?series_id={}",
            "", example.series
        );
    }
    println!("is a point anomalous?");
    println!(
        "  curl -s http://{addr}/predict/ec2-cpu-24ae8d -H 'content-type: application/json' \\\n       \
         -d '{{\"timestamp\":\"1393601700\",\"value\":2.4}}'"
    );
    Ok(())
}

async fn fit(registry: &Registry, example: &Example) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", example.series);
    let points = example.points().map_err(|error| named(&error))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let fitted_at_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let job = FitJob {
        points,
        params: Params::default(),
        fitted_at_ms,
        set_alias: None,
        labels: None,
    };
    let options = registry.options();
    let mut fitting = tokio::task::spawn_blocking(move || job.run(&options))
        .await
        .map_err(|error| named(&error))?
        .map_err(|error| named(&error))?;
    registry
        .store(example.series, &mut fitting)
        .await
        .map_err(|error| named(&error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use detectors::Series;

    use super::EXAMPLES;

    #[test]
    fn every_example_is_a_series() {
        for example in &EXAMPLES {
            let points = example.points().unwrap();
            let series = Series::new(&points.timestamps, &points.values).unwrap();
            assert!(series.len() > 1_000, "{}", example.series);
        }
    }
}
