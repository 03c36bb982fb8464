//! What a run sends: whole HTTP/1.1 requests, made ahead of their timed span.
//!
//! Which request has which number is settled beforehand: kinds take turns as their weights say,
//! requests of a kind go through the series in turn, and what they carry is a function of
//! seed, series and a number. So any number of threads can send one run without talking to each
//! other, and a run can be sent again.

mod error;
mod generated;
mod interleave;
pub mod payload_file;
mod wire;

use bytes::Bytes;

use self::generated::{Generated, Kind};
use self::interleave::Interleave;
use self::payload_file::Payloads;
use self::wire::Wire;
use crate::base_url::BaseUrl;
use crate::load::response::Op;
use crate::results::config::{Share, WorkloadSpec};

pub use self::error::WorkloadError;

/// A request, ready to be written to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What it asks for.
    pub op: Op,
    /// Head and body, byte for byte.
    pub bytes: Bytes,
    /// Points in its body.
    pub points: u32,
}

/// What a generated request is about, for those who check what became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A fit of a series, with one of its trainings.
    Fit {
        /// Which series.
        series: u64,
        /// Which training.
        training: u64,
    },
    /// Points to be judged by a version of a series: one alone, or columns.
    Points {
        /// Which series.
        series: u64,
        /// Their values.
        values: Vec<f64>,
    },
    /// A point to be learnt.
    Update {
        /// Which series.
        series: u64,
    },
    /// Anything else.
    Other,
}

/// All requests of a run, by their number.
#[derive(Debug)]
pub struct Workload {
    turns: Interleave,
    /// A source a kind, in the order of the mix.
    sources: Vec<Source>,
    /// The same in the same order, as what can be made up.
    kinds: Vec<Option<Kind>>,
    generated: Generated,
    /// Series to be fitted before the run.
    to_fit: u64,
}

/// Where requests of one kind come from.
#[derive(Debug)]
enum Source {
    /// Made ahead; taken in turn.
    Held(Vec<Prepared>),
    /// Made when asked for.
    Made(Kind),
}

impl Workload {
    /// Makes the requests of a run ahead: of every kind `spec.distinct`, rounded up to a multiple of
    /// the series. Requests of a kind with more series than that are made when they are asked
    /// for, and so are updates, whose times have to go on. Of a file, every payload is made ahead.
    ///
    /// # Errors
    /// When the mix is empty or asks for what cannot be generated, or the file of payloads cannot be
    /// read, has changed since `spec` was made, or has a line that is no payload.
    pub fn build(
        spec: &WorkloadSpec,
        base: &BaseUrl,
        run_id: &str,
        seed: u64,
    ) -> Result<Self, WorkloadError> {
        let wire = Wire::new(base);
        let generated = Generated::new(spec, &wire, run_id, seed);
        if let Some(file) = &spec.payloads {
            let payloads = Payloads::configured(file, &spec.mix)?;
            return Ok(Self {
                turns: Interleave::new(&[(1, 0)]),
                kinds: vec![None],
                sources: vec![Source::Held(payloads.requests(&wire, &generated))],
                to_fit: if spec.set_up {
                    payloads.to_fit(spec.series)
                } else {
                    0
                },
                generated,
            });
        }
        let mix: Vec<Share> = spec.mix.iter().copied().filter(|s| s.weight > 0).collect();
        if mix.is_empty() {
            return Err(WorkloadError::EmptyMix);
        }
        let ahead = || spec.series <= spec.distinct;
        let made = |kind| match kind {
            Kind::Fit | Kind::Predict | Kind::Columns if ahead() => Source::Held(
                (0..generated.distinct())
                    .map(|ordinal| generated.request(kind, ordinal))
                    .collect(),
            ),
            kind => Source::Made(kind),
        };
        let sources = mix.iter().map(|share| match share.op {
            Op::Fit => Ok(made(Kind::Fit)),
            Op::Predict => Ok(made(Kind::Predict)),
            Op::Columns => Ok(made(Kind::Columns)),
            Op::Ndjson => Ok(made(Kind::Ndjson)),
            Op::Update => Ok(made(Kind::Update)),
            Op::Health => Ok(Source::Held(vec![wire.health()])),
            Op::Custom => Err(WorkloadError::CustomWithoutFile),
        });
        let sources = sources.collect::<Result<_, _>>()?;
        let asks_models = |share: &Share| matches!(share.op, Op::Predict | Op::Columns);
        let to_fit = if spec.set_up && mix.iter().any(asks_models) {
            u64::from(spec.series)
        } else {
            0
        };
        let lanes: Vec<_> = mix.iter().map(|s| (s.weight, lane(s.op))).collect();
        Ok(Self {
            turns: Interleave::new(&lanes),
            kinds: mix.iter().map(|share| Kind::of(share.op)).collect(),
            sources,
            generated,
            to_fit,
        })
    }

    /// Request `index` of the run, the same however often it is asked for.
    #[must_use]
    pub fn request(&self, index: u64) -> Prepared {
        let (kind, ordinal) = self.turns.turn(index);
        match &self.sources[kind] {
            Source::Held(ring) => ring[(ordinal % ring.len() as u64) as usize].clone(),
            Source::Made(kind) => self.generated.request(*kind, ordinal),
        }
    }

    /// What request `index` is about; of one that was read from a file, nothing is known.
    #[must_use]
    pub fn asked(&self, index: u64) -> Asked {
        let (kind, ordinal) = self.turns.turn(index);
        match self.kinds[kind] {
            Some(kind) => self.generated.asked(kind, ordinal),
            None => Asked::Other,
        }
    }

    /// Which kind of request `index` is and which of its different bodies it has: requests that are
    /// the same have the same. None where bodies never come again.
    #[must_use]
    pub fn body_number(&self, index: u64) -> Option<(usize, u64)> {
        let (kind, ordinal) = self.turns.turn(index);
        matches!(self.kinds[kind]?, Kind::Predict | Kind::Columns)
            .then(|| (kind, ordinal % self.generated.distinct()))
    }

    /// What generated series `n` is called.
    #[must_use]
    pub fn series_name(&self, n: u64) -> String {
        self.generated.series_name(n)
    }

    /// Points in every generated training.
    #[must_use]
    pub fn training_points(&self) -> usize {
        self.generated.training_times().count()
    }

    /// The points of a training of a generated series: Unix seconds and values.
    #[must_use]
    pub fn training(&self, series: u64, training: u64) -> (Vec<u64>, Vec<f64>) {
        (
            self.generated.training_times().collect(),
            self.generated.training(series, training),
        )
    }

    /// How many fits it takes before requests of the run are about series that the server knows:
    /// one of every generated series if there are predictions in the mix. Updates start from
    /// nothing, and series that a file names are left as they are.
    #[must_use]
    pub fn fits_before(&self) -> u64 {
        self.to_fit
    }

    /// The fit of generated series `n` before the run.
    #[must_use]
    pub fn fit_before(&self, n: u64) -> Prepared {
        self.generated.fit(n, 0)
    }
}

/// A request about the series `id` with this body.
pub(crate) fn about(base: &BaseUrl, op: Op, id: &str, body: &str, points: u32) -> Prepared {
    Wire::new(base).about(op, id, body, points)
}

/// Kinds of one lane are numbered together: all updates, because their points share one time axis.
fn lane(op: Op) -> usize {
    match op {
        Op::Fit => 0,
        Op::Predict => 1,
        Op::Columns => 2,
        Op::Update | Op::Ndjson => 3,
        Op::Health => 4,
        Op::Custom => 5,
    }
}

#[cfg(test)]
mod tests;
