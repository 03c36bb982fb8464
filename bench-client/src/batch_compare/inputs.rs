//! The points of both ways, and the requests that carry them.

use serde_json::Value;

use crate::base_url::BaseUrl;
use crate::load::response::Op;
use crate::payload;
use crate::workload::{self, Prepared};

/// How a batch is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Via {
    /// Columns of a predict against single predicts
    Columns,
    /// NDJSON of an update against single updates, for servers that have them
    Ndjson,
}

/// One of the two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A request a point.
    Single,
    /// A request a batch.
    Batch,
}

/// A request as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What it asks for.
    pub op: Op,
    /// The series.
    pub id: String,
    /// Its body.
    pub body: String,
    /// Points in it.
    pub points: u32,
}

/// All points of a comparison.
#[derive(Debug, Clone)]
pub struct Inputs {
    points: Vec<payload::PredictBody>,
    batch: usize,
    via: Via,
    /// Begins the names of all series.
    name: String,
}

impl Inputs {
    /// `points` measured bodies of the notebook's predict phase, in batches of `batch`, about series
    /// whose names begin with `name`.
    #[must_use]
    pub fn new(points: u32, batch: u32, via: Via, name: String, seed: u64) -> Self {
        let points = (0..u64::from(points)).map(|i| payload::predict(seed, i));
        Self {
            points: points.collect(),
            batch: batch.max(1) as usize,
            via,
            name,
        }
    }

    /// Points of one batch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How a batch is sent.
    #[must_use]
    pub fn via(&self) -> Via {
        self.via
    }

    /// The series that predicts are about, to be fitted before.
    #[must_use]
    pub fn series(&self) -> &str {
        &self.name
    }

    /// The requests of one way in the order of their points. Predicts are all about one series. Updates
    /// change what they are about, so that each batch has a series of its own, and each way and
    /// `purpose` its own of them.
    #[must_use]
    pub fn asks(&self, way: Way, purpose: &str) -> Vec<Ask> {
        let batches = self.points.chunks(self.batch).enumerate();
        let asks = batches.flat_map(|(n, batch)| {
            let id = match (self.via, way) {
                (Via::Columns, _) => self.name.clone(),
                (Via::Ndjson, Way::Single) => format!("{}_{purpose}_single_{n}", self.name),
                (Via::Ndjson, Way::Batch) => format!("{}_{purpose}_lines_{n}", self.name),
            };
            let single = |point: &payload::PredictBody| {
                format!(
                    r#"{{"timestamp":"{}","value":{}}}"#,
                    point.timestamp,
                    number(point.value)
                )
            };
            let ask = |op, body, points: usize| Ask {
                op,
                id: id.clone(),
                body,
                points: points as u32,
            };
            match (way, self.via) {
                (Way::Single, Via::Columns) => batch
                    .iter()
                    .map(|point| ask(Op::Predict, single(point), 1))
                    .collect(),
                (Way::Single, Via::Ndjson) => batch
                    .iter()
                    .map(|point| ask(Op::Update, single(point), 1))
                    .collect(),
                (Way::Batch, Via::Columns) => vec![ask(Op::Columns, columns(batch), batch.len())],
                (Way::Batch, Via::Ndjson) => {
                    let lines: String = batch.iter().map(|point| single(point) + "\n").collect();
                    vec![ask(Op::Ndjson, lines, batch.len())]
                }
            }
        });
        asks.collect()
    }

    /// The same, ready to be sent.
    #[must_use]
    pub fn requests(&self, way: Way, base: &BaseUrl) -> Vec<Prepared> {
        let asks = self.asks(way, "run").into_iter();
        asks.map(|ask| workload::about(base, ask.op, &ask.id, &ask.body, ask.points))
            .collect()
    }
}

/// As JSON writes it: the shortest form that reads back as the same double.
fn number(value: f64) -> Value {
    Value::from(value)
}

fn columns(batch: &[payload::PredictBody]) -> String {
    let join = |parts: Vec<String>| parts.join(",");
    let times = join(batch.iter().map(|point| point.timestamp.clone()).collect());
    let values = join(
        batch
            .iter()
            .map(|point| number(point.value).to_string())
            .collect(),
    );
    format!(r#"{{"timestamps":[{times}],"values":[{values}]}}"#)
}

/// BLAKE3 over the points that `asks` carry, read back from their bodies, a line `time,value` a point:
/// the same for two ways that send the same points in the same order.
///
/// # Errors
/// When a body does not carry what it should.
pub fn hash(asks: &[Ask]) -> Result<String, String> {
    let mut hasher = blake3::Hasher::new();
    for ask in asks {
        let mut points = 0;
        let mut add = |time: &Value, value: &Value| {
            let time = time
                .as_str()
                .map_or_else(|| time.to_string(), str::to_owned);
            hasher.update(format!("{time},{value}\n").as_bytes());
            points += 1;
        };
        for line in ask.body.lines() {
            let body: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            match (body["timestamps"].as_array(), body["values"].as_array()) {
                (Some(times), Some(values)) => {
                    times
                        .iter()
                        .zip(values)
                        .for_each(|(time, value)| add(time, value));
                }
                _ => add(&body["timestamp"], &body["value"]),
            }
        }
        if points != ask.points {
            return Err(format!("a body has {points} points and not {}", ask.points));
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(via: Via, seed: u64) -> Inputs {
        Inputs::new(40, 10, via, "x".to_owned(), seed)
    }

    #[test]
    fn both_ways_carry_the_same_points_and_other_seeds_others() {
        for via in [Via::Columns, Via::Ndjson] {
            let inputs = inputs(via, 1);
            let (single, batch) = (inputs.asks(Way::Single, "c"), inputs.asks(Way::Batch, "c"));
            assert_eq!((single.len(), batch.len()), (40, 4));
            assert_eq!(hash(&single), hash(&batch));
            assert_ne!(
                hash(&single),
                hash(&self::inputs(via, 2).asks(Way::Single, "c"))
            );
            let mut swapped = single.clone();
            swapped.swap(3, 4);
            assert_ne!(hash(&swapped), hash(&batch), "the order counts");
        }
        let same = |via| hash(&inputs(via, 1).asks(Way::Batch, "c"));
        assert_eq!(same(Via::Columns), same(Via::Ndjson));
    }

    #[test]
    fn updates_of_the_two_ways_do_not_meet() {
        let inputs = inputs(Via::Ndjson, 1);
        let ids = |way, purpose| -> Vec<String> {
            let asks = inputs.asks(way, purpose).into_iter();
            asks.map(|ask| ask.id).collect()
        };
        let single = ids(Way::Single, "run");
        assert_eq!(single[9], single[0]);
        assert_ne!(single[10], single[0]);
        assert!(ids(Way::Batch, "run").iter().all(|id| !single.contains(id)));
        assert!(
            ids(Way::Single, "check")
                .iter()
                .all(|id| !single.contains(id))
        );
    }

    #[test]
    fn a_body_that_lacks_points_has_no_hash() {
        let mut asks = inputs(Via::Columns, 1).asks(Way::Batch, "c");
        asks[0].points = 11;
        assert!(hash(&asks).unwrap_err().contains("10 points and not 11"));
    }
}
