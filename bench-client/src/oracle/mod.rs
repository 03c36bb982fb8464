//! The answer oracle: knows what is right, and holds every answer of a run against it.
//!
//! Payloads are a function of (seed, series, i), so that the client can work out what a series was
//! fitted with and what each answer has to be, by its own code ([`model`]) and nothing of the
//! server's. Versions are immutable, so that the version an answer names decides which training
//! counts. Which version a fit became is in the fit's own answer; where that was lost, any fit of
//! the series whose outcome is unknown may have become it.

mod answer;
pub mod model;

use std::collections::HashMap;

use serde::Deserialize;

use self::answer::Compared;
use self::model::Reference;
use crate::load::response::{Op, OutcomeClass, ResponseRecord};
use crate::results::summary::{Answers, WrongAnswer};
use crate::workload::{Asked, Workload};

/// Wrong answers that are told one by one.
const EXAMPLES: usize = 5;

/// Answers that may wait for the version that gave them to become known.
const MOST_WAITING: usize = 100_000;

/// How much is kept of answers that were right.
const MOST_RIGHT_BYTES: usize = 64 << 20;

/// The answer to a fit.
#[derive(Debug, Deserialize)]
struct FitAnswer {
    version: String,
    points_used: usize,
}

/// An answer by a version that no fit is known to have become.
#[derive(Debug)]
struct Waiting {
    index: u64,
    columns: bool,
    values: Vec<f64>,
    body: Box<[u8]>,
    in_time: bool,
}

/// A version and when its fit was answered.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    version: u64,
    at_ns: u64,
}

/// An answer that was right.
#[derive(Debug)]
struct Right {
    series: u64,
    version: u64,
    points: u64,
    undecidable: u64,
    body: Box<[u8]>,
}

/// Checks the answers of one run.
#[derive(Debug)]
pub struct Oracle {
    /// The last right answer to each body, so that the same bytes to the same question need not be
    /// read again.
    right: HashMap<(usize, u64), Right>,
    right_bytes: usize,
    sigma: f64,
    good_within_ns: u64,
    /// Which training a version of a series was fitted with.
    trained: HashMap<(u64, u64), u64>,
    /// Trainings of fits that may have become a version that nobody was told of.
    unknown: HashMap<u64, Vec<u64>>,
    /// The highest version that a series is known to have had.
    latest: HashMap<u64, Acknowledged>,
    waiting: HashMap<(u64, u64), Vec<Waiting>>,
    n_waiting: usize,
    references: HashMap<(u64, u64), Reference>,
    answers: Answers,
}

impl Oracle {
    /// Of a run whose fits ask for `sigma`, with the limit for replies that are good.
    #[must_use]
    pub fn new(sigma: f64, good_within_ns: u64) -> Self {
        Self {
            right: HashMap::new(),
            right_bytes: 0,
            sigma,
            good_within_ns,
            trained: HashMap::new(),
            unknown: HashMap::new(),
            latest: HashMap::new(),
            waiting: HashMap::new(),
            n_waiting: 0,
            references: HashMap::new(),
            answers: Answers::default(),
        }
    }

    /// Takes the outcome of the fit of series `n` before the run; `body` if it was 2xx.
    pub fn set_up(&mut self, workload: &Workload, n: u64, body: Option<&[u8]>) {
        match body {
            Some(body) => self.fitted(workload, None, n, 0, 0, body),
            None => self.unknown.entry(n).or_default().push(0),
        }
    }

    /// Takes a response; `body` is the whole of a 2xx reply, or `None` if it is not there.
    pub fn add(&mut self, workload: &Workload, record: &ResponseRecord, body: Option<&[u8]>) {
        if let (OutcomeClass::Ok, Some(body)) = (record.class, body)
            && self.is_right_again(workload, record, body)
        {
            return;
        }
        match workload.asked(record.index) {
            Asked::Fit { series, training } => match (record.class, body) {
                (OutcomeClass::Ok, Some(body)) => {
                    let at_ns = record.last_ns;
                    self.fitted(workload, Some(record), series, training, at_ns, body);
                }
                // A 4xx was not fitted; of all else nobody knows.
                (OutcomeClass::Refused, _) => {}
                _ => self.unknown.entry(series).or_default().push(training),
            },
            Asked::Points { series, values } if record.class == OutcomeClass::Ok => match body {
                Some(body) => self.answered(workload, record, series, values, body),
                None => self.answers.unchecked += 1,
            },
            Asked::Points { .. } | Asked::Update { .. } | Asked::Other => {}
        }
    }

    /// What came of it. Of a run that was cut short, an answer by a version that no fit is known to
    /// have become stays unchecked: the fit's own answer may have been dropped.
    #[must_use]
    pub fn finish(mut self, workload: &Workload, interrupted: bool) -> Answers {
        let mut waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        waiting.sort_unstable_by_key(|(key, _)| *key);
        for ((series, version), answers) in waiting {
            let candidates = self.unknown.get(&series).cloned().unwrap_or_default();
            for answer in answers {
                if interrupted {
                    self.answers.unchecked += 1;
                    continue;
                }
                let none = || {
                    let why = format!("no fit of the series became version {version}");
                    Compared::all_wrong(&answer.values, why)
                };
                let compared = candidates.iter().map(|training| {
                    let reference = self.references.entry((series, *training));
                    let sigma = self.sigma;
                    let reference = *reference.or_insert_with(|| {
                        Reference::fit(&workload.training(series, *training).1, sigma)
                    });
                    answer::compare(&reference, &answer.values, answer.columns, &answer.body)
                });
                // One that fits is enough: it is not known which of them it was.
                let best = compared
                    .min_by_key(|compared| compared.wrong)
                    .unwrap_or_else(none);
                self.count(answer.index, answer.in_time, series, best);
            }
        }
        self.answers
    }

    fn fitted(
        &mut self,
        workload: &Workload,
        record: Option<&ResponseRecord>,
        series: u64,
        training: u64,
        at_ns: u64,
        body: &[u8],
    ) {
        let (index, points) = (
            record.map_or(0, |record| record.index),
            workload.training_points(),
        );
        let read = serde_json::from_slice::<FitAnswer>(body).map_err(|error| error.to_string());
        let read = read.and_then(|answer| {
            let version: Option<u64> = answer.version.parse().ok().filter(|version| *version > 0);
            let version = version.ok_or(format!("{:?} is no version", answer.version))?;
            if answer.points_used != points {
                let used = answer.points_used;
                return Err(format!("points_used is {used}, and {points} were sent"));
            }
            match self.trained.get(&(series, version)) {
                Some(_) => Err(format!("version {version} was given to two fits")),
                None => Ok(version),
            }
        });
        match read {
            Ok(version) => {
                if record.is_some() {
                    self.answers.checked += 1;
                }
                self.trained.insert((series, version), training);
                let latest = self
                    .latest
                    .entry(series)
                    .or_insert(Acknowledged { version, at_ns });
                if version > latest.version {
                    *latest = Acknowledged { version, at_ns };
                }
                for answer in self.waiting.remove(&(series, version)).unwrap_or_default() {
                    self.n_waiting -= 1;
                    let reference = self.reference(workload, series, training);
                    let Waiting {
                        values, columns, ..
                    } = &answer;
                    let compared = answer::compare(&reference, values, *columns, &answer.body);
                    self.count(answer.index, answer.in_time, series, compared);
                }
            }
            Err(why) => {
                let in_time = record.is_some_and(|record| self.in_time(record));
                self.count(index, in_time, series, Compared::all_wrong(&[], why));
            }
        }
    }

    fn answered(
        &mut self,
        workload: &Workload,
        record: &ResponseRecord,
        series: u64,
        values: Vec<f64>,
        body: &[u8],
    ) {
        let (index, in_time) = (record.index, self.in_time(record));
        let version = match answer::version(body) {
            Ok(version) => version,
            Err(why) => {
                let wrong = Compared::all_wrong(&values, why);
                return self.count(index, in_time, series, wrong);
            }
        };
        if let Some(latest) = self.newer(series, version, record) {
            let why = format!("version {version} answered after version {latest} was acknowledged");
            return self.count(index, in_time, series, Compared::all_wrong(&values, why));
        }
        let columns = record.op == Op::Columns;
        if let Some(&training) = self.trained.get(&(series, version)) {
            let reference = self.reference(workload, series, training);
            let compared = answer::compare(&reference, &values, columns, body);
            if let Some(number) = workload.body_number(index).filter(|_| compared.wrong == 0) {
                let right = Right {
                    series,
                    version,
                    points: compared.points,
                    undecidable: compared.undecidable,
                    body: body.into(),
                };
                self.remember(number, right);
            }
            self.count(index, in_time, series, compared);
        } else if self.n_waiting < MOST_WAITING {
            self.n_waiting += 1;
            let waiting = self.waiting.entry((series, version)).or_default();
            waiting.push(Waiting {
                index,
                columns,
                values,
                body: body.into(),
                in_time,
            });
        } else {
            self.answers.unchecked += 1;
        }
    }

    /// Whether this is byte for byte what was right before; if so, it is counted.
    fn is_right_again(
        &mut self,
        workload: &Workload,
        record: &ResponseRecord,
        body: &[u8],
    ) -> bool {
        let number = workload.body_number(record.index);
        let Some(right) = number.and_then(|number| self.right.get(&number)) else {
            return false;
        };
        let Right {
            series,
            version,
            points,
            undecidable,
            ..
        } = *right;
        if *right.body != *body || self.newer(series, version, record).is_some() {
            return false;
        }
        let compared = Compared {
            points,
            undecidable,
            ..Compared::default()
        };
        self.count(record.index, self.in_time(record), series, compared);
        true
    }

    fn remember(&mut self, number: (usize, u64), right: Right) {
        let before = self.right.get(&number).map_or(0, |right| right.body.len());
        let bytes = self.right_bytes - before + right.body.len();
        if bytes <= MOST_RIGHT_BYTES {
            self.right_bytes = bytes;
            self.right.insert(number, right);
        }
    }

    /// A version that was acknowledged before the request was sent, and is above `version`.
    fn newer(&self, series: u64, version: u64, record: &ResponseRecord) -> Option<u64> {
        let latest = self.latest.get(&series)?;
        (latest.version > version && latest.at_ns < record.sent_ns).then_some(latest.version)
    }

    fn reference(&mut self, workload: &Workload, series: u64, training: u64) -> Reference {
        let sigma = self.sigma;
        *self
            .references
            .entry((series, training))
            .or_insert_with(|| Reference::fit(&workload.training(series, training).1, sigma))
    }

    fn in_time(&self, record: &ResponseRecord) -> bool {
        record.last_ns.saturating_sub(record.intended_ns) <= self.good_within_ns
    }

    fn count(&mut self, index: u64, in_time: bool, series: u64, compared: Compared) {
        let answers = &mut self.answers;
        answers.checked += 1;
        answers.points += compared.points;
        answers.undecidable += compared.undecidable;
        if compared.wrong == 0 {
            return;
        }
        answers.wrong += 1;
        answers.wrong_points += compared.wrong;
        answers.wrong_in_time += u64::from(in_time);
        if answers.examples.len() < EXAMPLES {
            answers.examples.push(WrongAnswer {
                index,
                series,
                what: compared.first.unwrap_or_default(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
