//! Requests that are made up, each a pure function of (seed, series, i).
//!
//! Series n lives around a level of its own and has a season of a day. Its expected value at step
//! j, a minute each since 1700006400 (2023-11-15T00:00:00Z), is
//!
//! `e(j) = level · (1 + 0.2 · sin(2π · (j / 1440 + phase)))`,
//!
//! with level uniform in [20, 100) and then phase uniform in [0, 1), the first two draws with the
//! tag `level` and i = 0 ([`crate::payload`] has the streams and the mapping to doubles). A point is
//! `e(j) + 0.04 · level · (u₁ + u₂ + u₃ − 1.5)`, so that the noise has a standard deviation of 2 % of
//! the level. Points that are to be judged draw a u₄ besides: below 0.01 the point is half a level
//! higher, from there to 0.02 half a level lower.
//!
//! Tags are filled up to 8 bytes with zeros.
//!
//! | body | tag | points |
//! |---|---|---|
//! | fit i | `gen_fit` | P, at the steps 0 … P − 1 |
//! | predict i | `gen_one` | one, at the step P + (i mod P) |
//! | columns i | `gen_many` | a batch, at the steps P … |
//! | update i | `gen_upd` | one, at the step P + i · stride |
//! | NDJSON i | `gen_upd` | a batch, at the steps P + i · stride … |
//!
//! So every point follows the training, those of updates never come late, and stride is the batch
//! if there is NDJSON in the mix and else 1. Numbers are written in the shortest form that reads
//! back as the same double.

use std::f64::consts::TAU;
use std::fmt::Write;

use super::wire::{SeriesHead, Wire};
use super::{Asked, Prepared};
use crate::load::response::Op;
use crate::payload::Draw;
use crate::results::config::WorkloadSpec;

const START: u64 = 1_700_006_400;
const STEP_S: u64 = 60;
const STEPS_PER_DAY: f64 = 1440.0;

/// Makes requests about the series of one run.
#[derive(Debug)]
pub(super) struct Generated {
    seed: u64,
    /// What the names of series have before their number.
    name: String,
    series: u64,
    points_per_fit: u64,
    batch: u64,
    stride: u64,
    /// Different bodies of each series.
    per_series: u64,
    /// What fits ask for besides the default model, as more members of their body.
    model: String,
    heads: [SeriesHead; 5],
}

/// The kinds of request that can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fit,
    Predict,
    Columns,
    Ndjson,
    Update,
}

/// What is normal for a series.
struct Series {
    level: f64,
    phase: f64,
}

/// Whether some points are anomalies.
#[derive(Clone, Copy)]
enum Points {
    Normal,
    ToJudge,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Fit,
        Self::Predict,
        Self::Columns,
        Self::Ndjson,
        Self::Update,
    ];

    /// How requests of this kind are made up, if they are.
    pub(super) fn of(op: Op) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.op() == op)
    }

    pub(super) fn op(self) -> Op {
        match self {
            Self::Fit => Op::Fit,
            Self::Predict => Op::Predict,
            Self::Columns => Op::Columns,
            Self::Ndjson => Op::Ndjson,
            Self::Update => Op::Update,
        }
    }
}

impl Generated {
    pub(super) fn new(spec: &WorkloadSpec, wire: &Wire, run_id: &str, seed: u64) -> Self {
        let name = format!("bench_{run_id}_");
        let series = u64::from(spec.series.max(1));
        let batch = u64::from(spec.batch.max(1));
        let streams = spec.mix.iter().any(|share| share.op == Op::Ndjson);
        Self {
            seed,
            series,
            points_per_fit: u64::from(spec.points_per_fit.max(3)),
            batch,
            stride: if streams { batch } else { 1 },
            per_series: u64::from(spec.distinct).div_ceil(series).max(1),
            model: spec.sigma.map_or_else(String::new, |sigma| {
                format!(r#","model":"gaussian","sigma":{sigma}"#)
            }),
            heads: Kind::ALL.map(|kind| wire.series_head(kind.op(), &name)),
            name,
        }
    }

    /// After how many requests of a kind the same come again; updates never do.
    pub(super) fn distinct(&self) -> u64 {
        self.series * self.per_series
    }

    /// The request after `ordinal` others of its kind; those of updates, whether one point or many,
    /// are numbered together.
    pub(super) fn request(&self, kind: Kind, ordinal: u64) -> Prepared {
        let n = ordinal % self.series;
        let turn = ordinal / self.series;
        let again = turn % self.per_series;
        let after = self.points_per_fit;
        match kind {
            Kind::Fit => self.fit(n, again),
            Kind::Predict => self.one(kind, *b"gen_one\0", n, again, after + again % after),
            Kind::Columns => {
                let values = self.values(*b"gen_many", n, again, after, self.batch);
                self.about(kind, n, &columns(after, &values), values.len())
            }
            Kind::Update => self.one(kind, *b"gen_upd\0", n, turn, after + turn * self.stride),
            Kind::Ndjson => {
                let first = after + turn * self.stride;
                let values = self.values(*b"gen_upd\0", n, turn, first, self.batch);
                let mut body = String::with_capacity(64 * values.len());
                for (step, value) in (first..).zip(&values) {
                    point(&mut body, step, *value);
                    body.push('\n');
                }
                self.about(kind, n, &body, values.len())
            }
        }
    }

    /// Training `i` of series `n`.
    pub(super) fn fit(&self, n: u64, i: u64) -> Prepared {
        let values = self.training(n, i);
        let mut body = columns(0, &values);
        if !self.model.is_empty() {
            body.pop();
            body.push_str(&self.model);
            body.push('}');
        }
        self.about(Kind::Fit, n, &body, values.len())
    }

    /// The values of training `i` of series `n`, at the timestamps [`Self::training_times`].
    pub(super) fn training(&self, n: u64, i: u64) -> Vec<f64> {
        let series = Series::new(self.seed, n);
        let mut draw = Draw::of_series(self.seed, *b"gen_fit\0", n, i);
        (0..self.points_per_fit)
            .map(|step| series.value(step, &mut draw, Points::Normal))
            .collect()
    }

    pub(super) fn series_name(&self, n: u64) -> String {
        format!("{}{n}", self.name)
    }

    /// The timestamps of every training.
    pub(super) fn training_times(&self) -> impl Iterator<Item = u64> {
        (0..self.points_per_fit).map(timestamp)
    }

    /// What the request after `ordinal` others of its kind is about.
    pub(super) fn asked(&self, kind: Kind, ordinal: u64) -> Asked {
        let series = ordinal % self.series;
        let turn = ordinal / self.series;
        let again = turn % self.per_series;
        let after = self.points_per_fit;
        match kind {
            Kind::Fit => Asked::Fit {
                series,
                training: again,
            },
            Kind::Predict => {
                let step = after + again % after;
                let values = self.values(*b"gen_one\0", series, again, step, 1);
                Asked::Points { series, values }
            }
            Kind::Columns => {
                let values = self.values(*b"gen_many", series, again, after, self.batch);
                Asked::Points { series, values }
            }
            Kind::Update => Asked::Update { series },
            Kind::Ndjson => Asked::Other,
        }
    }

    /// A request with another body about the series whose turn it is after `turn` others.
    pub(super) fn with_body(&self, kind: Kind, turn: u64, body: &str, points: u32) -> Prepared {
        self.heads[kind as usize].request(turn % self.series, body, points)
    }

    fn one(&self, kind: Kind, tag: [u8; 8], n: u64, i: u64, step: u64) -> Prepared {
        let mut body = String::with_capacity(64);
        for value in self.values(tag, n, i, step, 1) {
            point(&mut body, step, value);
        }
        self.about(kind, n, &body, 1)
    }

    fn values(&self, tag: [u8; 8], n: u64, i: u64, first: u64, count: u64) -> Vec<f64> {
        let series = Series::new(self.seed, n);
        let mut draw = Draw::of_series(self.seed, tag, n, i);
        (first..first + count)
            .map(|step| series.value(step, &mut draw, Points::ToJudge))
            .collect()
    }

    fn about(&self, kind: Kind, n: u64, body: &str, points: usize) -> Prepared {
        let points = u32::try_from(points).unwrap_or(u32::MAX);
        self.heads[kind as usize].request(n, body, points)
    }
}

impl Series {
    fn new(seed: u64, n: u64) -> Self {
        let mut draw = Draw::of_series(seed, *b"level\0\0\0", n, 0);
        Self {
            level: draw.uniform(20.0, 100.0),
            phase: draw.unit(),
        }
    }

    fn value(&self, step: u64, draw: &mut Draw, points: Points) -> f64 {
        let Self { level, phase } = self;
        // The library's sine has the same bits on every machine.
        let season = libm::sin(TAU * (step as f64 / STEPS_PER_DAY + phase));
        let noise = draw.unit() + draw.unit() + draw.unit() - 1.5;
        let normal = level * (1.0 + 0.2 * season) + 0.04 * level * noise;
        match points {
            Points::Normal => normal,
            Points::ToJudge => match draw.unit() {
                u if u < 0.01 => normal + 0.5 * level,
                u if u < 0.02 => normal - 0.5 * level,
                _ => normal,
            },
        }
    }
}

fn timestamp(step: u64) -> u64 {
    START + STEP_S * step
}

/// Writing to a string cannot fail.
fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

fn point(body: &mut String, step: u64, value: f64) {
    let time = timestamp(step);
    append(
        body,
        format_args!(r#"{{"timestamp":"{time}","value":{value}}}"#),
    );
}

fn columns(first: u64, values: &[f64]) -> String {
    let mut body = String::with_capacity(32 * values.len() + 32);
    body.push_str(r#"{"timestamps":["#);
    for (k, step) in (first..).take(values.len()).enumerate() {
        let comma = if k == 0 { "" } else { "," };
        append(&mut body, format_args!("{comma}{}", timestamp(step)));
    }
    body.push_str(r#"],"values":["#);
    for (k, value) in values.iter().enumerate() {
        let comma = if k == 0 { "" } else { "," };
        append(&mut body, format_args!("{comma}{value}"));
    }
    body.push_str("]}");
    body
}
