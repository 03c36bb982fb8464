//! What must hold before latencies are worth comparing.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::task::JoinSet;

use super::comparison::{Percentiles, gate};
use super::inputs::{Ask, Inputs, Via, Way, hash};
use super::items::{self, FIELDS, Item};
use crate::base_url::BaseUrl;
use crate::client::{Client, ClientError, Outcome};
use crate::load::response::Op;
use crate::payload;

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    /// What was seen, or why it does not hold.
    pub result: Result<String, String>,
}

/// Checks what needs no server: the inputs, the log, the percentiles and the gate.
#[must_use]
pub fn offline(inputs: &Inputs) -> Vec<Check> {
    vec![
        check("same inputs, by BLAKE3", same_inputs(inputs)),
        check("the log has its fields, a row a point", log_fields()),
        check("percentiles of known data", percentiles()),
        check("the gate passes and fails", gates()),
    ]
}

fn check(name: &'static str, result: Result<String, String>) -> Check {
    Check { name, result }
}

fn same_inputs(inputs: &Inputs) -> Result<String, String> {
    let of = |way| hash(&inputs.asks(way, "run"));
    let (single, batch) = (of(Way::Single)?, of(Way::Batch)?);
    if single == batch {
        Ok(single)
    } else {
        Err(format!("{single} and {batch}"))
    }
}

/// Three points, one of them without a reply, through the same writer as those of the runs.
fn log_fields() -> Result<String, String> {
    let known = [(0, 1.25, 200), (1, 2.5, 503), (2, 30_000.0, -1)];
    let known = known.map(|(request_id, latency_ms, status_code)| Item {
        request_id,
        timestamp_ms: 1_700_000_000_000.5,
        latency_ms,
        status_code,
    });
    let mut log = Vec::new();
    items::log(&known, &mut log).map_err(|error| error.to_string())?;
    let read = items::read(log.as_slice())?;
    if read == known {
        Ok(FIELDS.join(", "))
    } else {
        Err(format!("what was written is read as {read:?}"))
    }
}

/// 1 to 100, whose percentiles by linear interpolation are 1 + 99·p.
fn percentiles() -> Result<String, String> {
    let found = Percentiles::of((1..=100).rev().map(f64::from).collect());
    let wanted = [(found.p50, 50.5), (found.p95, 95.05), (found.p99, 99.01)];
    let near = |found: Option<f64>, wanted: f64| found.is_some_and(|x| (x - wanted).abs() < 1e-9);
    if wanted.iter().all(|(found, wanted)| near(*found, *wanted)) {
        Ok("50.5, 95.05 and 99.01 of 1 to 100".to_owned())
    } else {
        Err(format!("of 1 to 100 they are {found:?}"))
    }
}

fn gates() -> Result<String, String> {
    let known = |latency_ms: f64| -> Vec<Item> {
        let item = |request_id| Item {
            request_id,
            timestamp_ms: 0.0,
            latency_ms,
            status_code: 200,
        };
        (0..100).map(item).collect()
    };
    match (gate(&known(799.0), 800.0), gate(&known(801.0), 800.0)) {
        (true, false) => Ok("799 ms passes 800, 801 does not".to_owned()),
        (passed, failed) => Err(format!("799 ms: {passed}, 801 ms: {failed}")),
    }
}

/// Checks the server's answers: that every reply is well-formed, and that each point gets the same
/// answer bit for bit, whether it is asked about alone or in a batch.
///
/// # Errors
/// When the HTTP client cannot be set up.
pub async fn online(
    inputs: &Inputs,
    base: &BaseUrl,
    concurrency: usize,
    timeout: Duration,
) -> Result<Vec<Check>, ClientError> {
    const REPLIES: &str = "every reply is well-formed";
    const ANSWERS: &str = "a batch gives the answers of its points, bit for bit";
    let client = Client::new(base, concurrency, timeout)?;
    let mut checks = Vec::new();
    if inputs.via() == Via::Columns {
        let fitted = fit(&client, inputs.series()).await;
        let failed = fitted.is_err();
        checks.push(check("the series can be fitted", fitted));
        if failed {
            return Ok(checks);
        }
    }
    let single = answers(
        &client,
        inputs.asks(Way::Single, "check"),
        inputs,
        concurrency,
    )
    .await;
    let batch = answers(
        &client,
        inputs.asks(Way::Batch, "check"),
        inputs,
        concurrency,
    )
    .await;
    let (single, batch) = match (single, batch) {
        (Ok(single), Ok(batch)) => (single, batch),
        (Err(reason), _) | (_, Err(reason)) => {
            checks.push(check(REPLIES, Err(reason)));
            return Ok(checks);
        }
    };
    let replies = format!("{} of single points, and as many in batches", single.len());
    checks.push(check(REPLIES, Ok(replies)));
    let differ = single
        .iter()
        .zip(&batch)
        .enumerate()
        .find(|(_, (a, b))| a != b);
    let same = match differ {
        _ if single.len() != batch.len() => {
            Err(format!("{} and {} answers", single.len(), batch.len()))
        }
        Some((n, (alone, among))) => {
            Err(format!("point {n} alone: {alone}; in its batch: {among}"))
        }
        None => Ok(format!("{} answers", single.len())),
    };
    checks.push(check(ANSWERS, same));
    Ok(checks)
}

async fn fit(client: &Client, series: &str) -> Result<String, String> {
    let request = client.post_json(&["fit", series], None, &payload::predict_training());
    let request = request.map_err(|error| error.to_string())?;
    let outcome = client.send(request).await;
    match outcome.failure() {
        None => Ok(series.to_owned()),
        Some(reason) => Err(with_preview(reason, &outcome)),
    }
}

fn with_preview(reason: String, outcome: &Outcome) -> String {
    match outcome.body_preview() {
        Some(body) if !body.is_empty() => format!("{reason}: {body}"),
        _ => reason,
    }
}

/// The answers to all points in order, each as JSON with its fields sorted, in which numbers are in the
/// shortest form that reads back as the same double: equal texts are equal bits. Requests about one
/// series are sent one after the other, because updates depend on each other.
async fn answers(
    client: &Client,
    asks: Vec<Ask>,
    inputs: &Inputs,
    concurrency: usize,
) -> Result<Vec<String>, String> {
    let in_turn = match (inputs.via(), asks.first().map(|ask| ask.op)) {
        (Via::Ndjson, Some(Op::Update)) => inputs.batch(),
        _ => 1,
    };
    let client = Arc::new(client.clone());
    let places = Arc::new(tokio::sync::Semaphore::new(concurrency.max(1)));
    let mut under_way = JoinSet::new();
    for (n, group) in asks.chunks(in_turn).enumerate() {
        let (client, places, group) = (Arc::clone(&client), Arc::clone(&places), group.to_vec());
        under_way.spawn(async move {
            let _place = places.acquire().await.map_err(|error| error.to_string())?;
            let mut answers = Vec::new();
            for ask in &group {
                answers.extend(answer(&client, ask).await?);
            }
            Ok::<_, String>((n, answers))
        });
    }
    let mut all = Vec::new();
    while let Some(done) = under_way.join_next().await {
        all.push(done.map_err(|error| error.to_string())??);
    }
    all.sort_unstable();
    Ok(all.into_iter().flat_map(|(_, answers)| answers).collect())
}

/// The answers to the points of one request.
async fn answer(client: &Client, ask: &Ask) -> Result<Vec<String>, String> {
    let outcome = client.send(request(client, ask)?).await;
    let body = match &outcome {
        Outcome::Reply { body, .. } if outcome.is_ok() => body.clone(),
        _ => {
            let reason = outcome.failure().unwrap_or_default();
            return Err(with_preview(reason, &outcome));
        }
    };
    let malformed = |reason: String| format!("{:?}: {reason}: {}", ask.op, text(&body));
    let json = |text: &[u8]| -> Result<Value, String> {
        serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))
    };
    let points = match ask.op {
        Op::Columns => rows(&json(&body)?, ask.points as usize).map_err(malformed)?,
        Op::Ndjson => {
            let lines = body.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty());
            lines.map(json).collect::<Result<_, _>>()?
        }
        _ => vec![json(&body)?],
    };
    if points.len() != ask.points as usize {
        return Err(malformed(format!(
            "{} answers to {} points",
            points.len(),
            ask.points
        )));
    }
    if let Some(wrong) = points.iter().find(|point| !is_answer(point)) {
        return Err(malformed(format!("no answer of the contract: {wrong}")));
    }
    Ok(points.iter().map(Value::to_string).collect())
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(200).collect()
}

/// What the contract asks of an answer.
fn is_answer(answer: &Value) -> bool {
    answer["anomaly"].is_boolean() && answer["model_version"].is_string()
}

fn request(client: &Client, ask: &Ask) -> Result<Request, String> {
    let step = match ask.op {
        Op::Update | Op::Ndjson => "update",
        _ => "predict",
    };
    // The body is replaced by the very text that is sent in the runs.
    let mut request = client
        .post_json(&[step, &ask.id], None, &())
        .map_err(|error| error.to_string())?;
    *request.body_mut() = Some(ask.body.clone().into());
    if ask.op == Op::Ndjson {
        let lines = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(CONTENT_TYPE, lines);
    }
    Ok(request)
}

/// What each of `n` points would have been told alone: columns taken apart, all else as it is, and
/// without the counts that only a batch has.
fn rows(reply: &Value, n: usize) -> Result<Vec<Value>, String> {
    let fields = reply.as_object().ok_or("it is no object")?;
    let count = fields.get("n_points");
    if count.is_some_and(|count| count.as_u64() != Some(n as u64)) {
        return Err(format!("n_points is not {n}"));
    }
    let mut rows = vec![serde_json::Map::new(); n];
    for (name, value) in fields {
        if name.starts_with("n_") {
            continue;
        }
        match value.as_array() {
            Some(column) if column.len() != n => {
                return Err(format!(
                    "{name} has {} entries for {n} points",
                    column.len()
                ));
            }
            Some(column) => {
                for (row, entry) in rows.iter_mut().zip(column) {
                    row.insert(column_name(name).to_owned(), entry.clone());
                }
            }
            None => {
                for row in &mut rows {
                    row.insert(name.clone(), value.clone());
                }
            }
        }
    }
    Ok(rows.into_iter().map(Value::Object).collect())
}

/// The name of a column's field in the answer to a single point.
fn column_name(name: &str) -> &str {
    match name {
        "timestamps" => "timestamp",
        "values" => "value",
        same => same,
    }
}

/// Whether latencies are worth comparing.
#[must_use]
pub fn all_hold(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.result.is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stub::{Settings, Stub};

    #[test]
    fn columns_are_taken_apart() {
        let reply = json!({
            "anomaly": [true, false], "value": [1.5, -0.0], "model_version": "3",
            "n_points": 2, "n_anomalies": 1,
        });
        let rows = rows(&reply, 2).unwrap();
        assert_eq!(
            rows[0],
            json!({"anomaly": true, "value": 1.5, "model_version": "3"})
        );
        assert_eq!(
            rows[1]["value"].to_string(),
            "-0.0",
            "the sign of zero is a bit"
        );
        assert!(self::rows(&reply, 3).unwrap_err().contains("n_points"));
        let short = json!({"anomaly": [true], "model_version": "3"});
        assert!(
            self::rows(&short, 2)
                .unwrap_err()
                .contains("anomaly has 1 entries")
        );
    }

    #[test]
    fn checks_without_a_server_hold_and_see_other_inputs() {
        let inputs = Inputs::new(40, 10, Via::Columns, "x".to_owned(), 1);
        let checks = offline(&inputs);
        assert!(all_hold(&checks), "{checks:?}");
        assert_eq!(checks[0].result.as_ref().unwrap().len(), 64);
    }

    fn online_checks(stub: &Stub, via: Via) -> Vec<Check> {
        let inputs = Inputs::new(40, 10, via, "x".to_owned(), 1);
        let base = stub.url.parse().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let timeout = Duration::from_secs(30);
        runtime
            .block_on(online(&inputs, &base, 4, timeout))
            .unwrap()
    }

    #[test]
    fn the_stub_answers_batches_as_points() {
        let stub = Stub::start(&Settings::default()).unwrap();
        for via in [Via::Columns, Via::Ndjson] {
            let checks = online_checks(&stub, via);
            assert!(all_hold(&checks), "{checks:?}");
            assert_eq!(checks.last().unwrap().result, Ok("40 answers".to_owned()));
        }
    }

    #[test]
    fn a_server_that_refuses_is_not_well_formed() {
        let stub = Stub::start(&Settings {
            respond: vec!["503:1".parse().unwrap()],
            ..Settings::default()
        });
        let checks = online_checks(&stub.unwrap(), Via::Columns);
        assert!(!all_hold(&checks));
        let reason = checks[0].result.as_ref().unwrap_err();
        assert!(
            reason.starts_with("HTTP 503") && reason.contains("as the stub was told"),
            "{reason}"
        );
    }
}
