//! What a run sends, as flags that several commands share.

use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::args::{bounded, usage};
use crate::load::response::Op;
use crate::results::config::{Share, WorkloadSpec};
use crate::workload::payload_file::Payloads;

const DISTINCT: u32 = 1000;
/// Requests of a kind that are made ahead take up to this much memory, unless `--distinct` is given.
const AHEAD_BYTES: u32 = 16 << 20;
/// A timestamp, a value and their commas.
const BYTES_PER_POINT: u32 = 32;

/// What a run sends.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is sent")]
pub struct WorkloadArgs {
    /// Kinds of request with their weights: fit, predict, columns, ndjson, update, health,
    /// such as predict or predict=8,fit=1,health=1, or custom, which needs --payloads [default:
    /// predict]
    #[arg(long, value_name = "MIX")]
    pub workload: Option<Mix>,

    /// Series that requests go to in turn [default: 100]
    #[arg(long, value_name = "N", value_parser = bounded(10_000_000))]
    pub series: Option<u32>,

    /// Points in the body of a fit, a minute apart [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    pub points_per_fit: Option<u32>,

    /// Points in a request of columns or ndjson [default: 100]
    #[arg(long, value_name = "N", value_parser = bounded(1_000_000))]
    pub batch: Option<u32>,

    /// Different requests of a kind, made before the run and sent in turn; with more series than
    /// that, they are made during the run [default: 1000, or as many as fit into 16 MiB]
    #[arg(long, value_name = "N", value_parser = bounded(10_000_000))]
    pub distinct: Option<u32>,

    /// File of payloads instead of generated ones: CSV with columns timestamp, value and perhaps
    /// series_id, or JSON with a body a line or {"method":"POST","path":"/x","body":{}} a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["batch", "distinct"])]
    pub payloads: Option<String>,

    /// Do not fit the series of predictions before the run
    #[arg(long)]
    pub no_set_up: bool,
}

/// Kinds of request with their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(pub Vec<Share>);

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares: Vec<Share> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let op = Op::from_str(name.trim(), false).map_err(|_| {
                let names = "fit, predict, columns, ndjson, update, health or custom";
                format!("`{name}` is no kind of request: expected {names}")
            })?;
            let weight = weight.trim().parse().ok();
            let weight = weight.filter(|weight| (1..=1000).contains(weight));
            let weight = weight.ok_or_else(|| format!("`{part}`: a weight is 1 to 1000"))?;
            if shares.iter().any(|share| share.op == op) {
                return Err(format!("`{name}` is there twice"));
            }
            shares.push(Share { op, weight });
        }
        Ok(Self(shares))
    }
}

impl WorkloadArgs {
    /// The configuration that the flags ask for. A file of payloads is read and checked.
    ///
    /// # Errors
    /// A usage error when flags contradict each other or have no effect on this workload, or when
    /// the file cannot be used.
    pub fn into_spec(self) -> Result<WorkloadSpec, clap::Error> {
        match &self.payloads {
            Some(path) => self.read_file(path),
            None => self.generated(),
        }
    }

    fn generated(&self) -> Result<WorkloadSpec, clap::Error> {
        let mix = match &self.workload {
            Some(Mix(shares)) => shares.clone(),
            None => vec![Share {
                op: Op::Predict,
                weight: 1,
            }],
        };
        let has = |ops: &[Op]| mix.iter().any(|share| ops.contains(&share.op));
        if has(&[Op::Custom]) {
            return Err(usage(
                "--workload custom reads its requests from --payloads",
            ));
        }
        let set_up = !self.no_set_up && has(&[Op::Predict, Op::Columns]);
        let idle = |given: bool, used: bool, message| match given && !used {
            true => Err(usage(message)),
            false => Ok(()),
        };
        let many = has(&[Op::Columns, Op::Ndjson]);
        idle(
            self.batch.is_some(),
            many,
            "--batch is about columns and ndjson, which --workload does not send",
        )?;
        idle(
            self.points_per_fit.is_some(),
            set_up || has(&[Op::Fit]),
            "--points-per-fit is about fits, and this run makes none",
        )?;
        idle(
            self.distinct.is_some(),
            has(&[Op::Fit, Op::Predict, Op::Columns]),
            "--distinct is about fit, predict and columns, which --workload does not send",
        )?;
        idle(
            self.series.is_some(),
            mix.iter().any(|share| share.op != Op::Health),
            "--series has no effect on health checks",
        )?;
        let points_per_fit = self.points_per_fit.unwrap_or(200);
        let batch = self.batch.unwrap_or(100);
        let largest = mix.iter().map(|share| match share.op {
            Op::Fit => points_per_fit,
            Op::Columns => batch,
            _ => 1,
        });
        let largest = largest.max().unwrap_or(1) * BYTES_PER_POINT;
        let fitting = (AHEAD_BYTES / largest).clamp(1, DISTINCT);
        Ok(WorkloadSpec {
            mix,
            series: self.series.unwrap_or(100),
            points_per_fit,
            batch,
            distinct: self.distinct.unwrap_or(fitting),
            payloads: None,
            set_up,
            sigma: None,
        })
    }

    fn read_file(&self, path: &str) -> Result<WorkloadSpec, clap::Error> {
        let ops: Vec<Op> = match &self.workload {
            Some(Mix(shares)) if shares.iter().any(|share| share.weight != 1) => {
                return Err(usage(
                    "weights of --workload have no effect with --payloads: requests come as in the file",
                ));
            }
            Some(Mix(shares)) => shares.iter().map(|share| share.op).collect(),
            None => vec![Op::Predict, Op::Columns],
        };
        let payloads =
            Payloads::read(path, &ops).map_err(|error| usage(format!("--payloads: {error}")))?;
        if self.series.is_some() && !payloads.use_series() {
            return Err(usage(
                "--series has no effect: every payload says where it goes",
            ));
        }
        let set_up = payloads.need_fits() && !self.no_set_up;
        if self.points_per_fit.is_some() && !set_up {
            return Err(usage(
                "--points-per-fit is about fits before the run, and it makes none",
            ));
        }
        Ok(WorkloadSpec {
            mix: payloads.mix(),
            series: self.series.unwrap_or(100),
            points_per_fit: self.points_per_fit.unwrap_or(200),
            batch: 1,
            distinct: u32::try_from(payloads.file().payloads).unwrap_or(u32::MAX),
            payloads: Some(payloads.file().clone()),
            set_up,
            sigma: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        workload: WorkloadArgs,
    }

    fn spec(flags: &[&str]) -> Result<WorkloadSpec, clap::Error> {
        let line = std::iter::once(&"x").chain(flags);
        Line::try_parse_from(line)?.workload.into_spec()
    }

    fn weights(spec: &WorkloadSpec) -> Vec<(Op, u32)> {
        spec.mix.iter().map(|s| (s.op, s.weight)).collect()
    }

    #[test]
    fn defaults_are_predictions_of_fitted_series() {
        let plain = spec(&[]).unwrap();
        assert_eq!(weights(&plain), [(Op::Predict, 1)]);
        assert_eq!((plain.series, plain.points_per_fit), (100, 200));
        assert_eq!((plain.batch, plain.distinct), (100, 1000));
        assert!(plain.set_up);
        assert!(!spec(&["--no-set-up"]).unwrap().set_up);
        assert!(!spec(&["--workload=update,health"]).unwrap().set_up);
    }

    #[test]
    fn a_mix_has_weights() {
        let mixed = spec(&["--workload=predict=8,fit=1,health", "--series=7"]).unwrap();
        let wanted = [(Op::Predict, 8), (Op::Fit, 1), (Op::Health, 1)];
        assert_eq!(weights(&mixed), wanted);
        assert_eq!(mixed.series, 7);
    }

    #[test]
    fn large_bodies_are_fewer_unless_asked_for() {
        let large = ["--workload=fit", "--points-per-fit=100000"];
        assert_eq!(spec(&large).unwrap().distinct, 5);
        let asked = spec(&[&large[..], &["--distinct=200"]].concat()).unwrap();
        assert_eq!(asked.distinct, 200);
    }

    #[test]
    fn flags_that_cannot_do_anything_are_named() {
        for (flags, wanted) in [
            (&["--workload=predict=0"][..], "a weight is 1 to 1000"),
            (
                &["--workload=predict,predict=2"],
                "`predict` is there twice",
            ),
            (&["--workload=guess"], "`guess` is no kind of request"),
            (&["--workload="], "is no kind of request"),
            (&["--workload=custom"], "--payloads"),
            (&["--batch=5"], "--batch"),
            (&["--no-set-up", "--points-per-fit=5"], "--points-per-fit"),
            (&["--workload=update", "--distinct=5"], "--distinct"),
            (&["--workload=health", "--series=5"], "--series"),
            (&["--series=0"], "--series"),
            (&["--points-per-fit=2"], "--points-per-fit"),
            (&["--payloads=/nowhere", "--distinct=5"], "--distinct"),
            (
                &["--payloads=/nowhere"],
                "--payloads: cannot read the payloads /nowhere",
            ),
            (&["--payloads=/nowhere", "--workload=fit=2"], "weights"),
            (
                &["--payloads=/nowhere", "--workload=health"],
                "health check has no payload",
            ),
        ] {
            let error = spec(flags).expect_err(wanted);
            assert_eq!(error.exit_code(), 2, "{flags:?}");
            assert!(error.to_string().contains(wanted), "{flags:?}: {error}");
        }
    }

    #[test]
    fn a_file_decides_the_mix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.jsonl");
        let lines = "{\"timestamp\":1,\"value\":2}\n{\"timestamps\":[1],\"values\":[2]}\n";
        std::fs::write(&path, lines).unwrap();
        let flag = format!("--payloads={}", path.display());
        let read = spec(&[&flag]).unwrap();
        assert_eq!(weights(&read), [(Op::Predict, 1), (Op::Columns, 1)]);
        assert_eq!(read.payloads.unwrap().payloads, 2);
        let updates = spec(&[&flag, "--workload=update,fit"]).unwrap();
        assert_eq!(weights(&updates), [(Op::Fit, 1), (Op::Update, 1)]);
        assert!(!updates.set_up);
        let error = spec(&[&flag, "--workload=update,fit", "--points-per-fit=9"]).unwrap_err();
        assert!(error.to_string().contains("--points-per-fit"), "{error}");
        std::fs::write(&path, r#"{"method":"GET","path":"/"}"#).unwrap();
        let error = spec(&[&flag, "--series=9"]).unwrap_err();
        assert!(error.to_string().contains("--series"), "{error}");
    }
}
