//! How long a replay of 10⁵ points takes on one core: `cargo run --release -p detectors --example replay`.

use std::time::Instant;

use detectors::backtest::{Contender, Measured, Part, Plan, Refit, Replay, Window};
use detectors::{Params, Series};

const POINTS: usize = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Ten weeks of minutes, with a day in them.
    let timestamps: Vec<i64> = (0..POINTS as i64).map(|i| 1_700_000_000 + 60 * i).collect();
    let mut noise = detectors::eval::bootstrap::SplitMix64::new(7);
    let value = |t: &i64| {
        let day = (*t % 86_400) as f64 / 86_400.0 * std::f64::consts::TAU;
        let sum: f64 = (0..12).map(|_| noise.next_p_value()).sum();
        100.0 + 20.0 * day.sin() + (sum - 6.0)
    };
    let values: Vec<f64> = timestamps.iter().map(value).collect();
    let series = Series::new(&timestamps, &values)?;
    let first = POINTS / 2;
    let every = |fits: usize| Refit::Every {
        points: (POINTS - first).div_ceil(fits),
        window: Window::Expanding,
    };
    let fit = |model: &str| -> Result<Contender, detectors::ParamError> {
        let params = Params {
            model: Some(model.to_owned()),
            ..Params::default()
        };
        Ok(Contender::Fit(Box::new(params.check()?)))
    };
    for (name, contender, refit) in [
        ("auto, fitted once", fit("auto")?, Refit::Never),
        ("auto, fitted 10 times", fit("auto")?, every(10)),
        ("gaussian, fitted 100 times", fit("gaussian")?, every(100)),
        ("tail_views, fitted once", fit("tail_views")?, Refit::Never),
        ("pca, fitted once", fit("pca")?, Refit::Never),
        ("forest, fitted once", fit("forest")?, Refit::Never),
    ] {
        let begun = Instant::now();
        let mut replay = Replay::new(series, contender, Plan { first, refit });
        let mut longest = 0.0_f64;
        loop {
            let step = Instant::now();
            if replay.step()?.is_none() {
                break;
            }
            longest = longest.max(step.elapsed().as_secs_f64());
        }
        let replayed = replay.finish();
        let alarms = replayed.alarms();
        let part = Part {
            timestamps: &timestamps[replayed.from..],
            alarms: &alarms,
            labels: None,
        };
        let measured = Measured::of(part, replayed.alarm_rate, 1);
        println!(
            "{name} ({}): {:.3} s, longest step {longest:.3} s; {} points scored, {} fits, {} alarms",
            replayed.model,
            begun.elapsed().as_secs_f64(),
            measured.points,
            replayed.n_fits,
            measured.alarms
        );
    }
    Ok(())
}
