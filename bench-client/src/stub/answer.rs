//! What a request is answered with: the shapes of the base contract and of its additions.

use std::fmt;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

const POINT: &str = r#"{"anomaly":false,"model_version":"1"}"#;
const UPDATED: &str = UPDATED_LINE.trim_ascii_end();
const UPDATED_LINE: &str = concat!(
    r#"{"anomaly":false,"model_version":"0","#,
    r#""state_seq":1,"learnt":true,"alert":false}"#,
    "\n"
);
const HEALTH: &str = concat!(
    r#"{"series_trained":0,"inference_latency_ms":{"avg":0.0,"p95":0.0},"#,
    r#""training_latency_ms":{"avg":0.0,"p95":0.0}}"#
);

/// What probes are answered: a stub is never anything but up.
const PROBES: [(&str, &str); 4] = [
    ("/health/live", r#"{"status":"live"}"#),
    ("/health/ready", r#"{"status":"ready"}"#),
    ("/health", r#"{"status":"ready"}"#),
    ("/health/startup", r#"{"status":"started"}"#),
];

/// What a request is answered with, once its cost is paid.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Costs one delay.
    One(Bytes),
    /// Costs what a batch of so many points costs.
    Batch(Bytes, usize),
    /// The same, a line a point.
    Lines(Vec<Bytes>),
    /// An HTML page; costs one delay.
    Page(Bytes),
    /// Costs nothing.
    Refused(StatusCode, &'static str),
    /// Costs nothing; names the method that there is.
    WrongMethod(&'static str),
}

/// Which of the two scores.
#[derive(Clone, Copy)]
enum Scorer {
    Version,
    State,
}

pub(super) fn answer(head: &Parts, body: &[u8]) -> Answer {
    let path = head.uri.path();
    let is_get = head.method == Method::GET;
    if path == "/healthcheck" {
        return if is_get {
            Answer::One(Bytes::from_static(HEALTH.as_bytes()))
        } else {
            Answer::WrongMethod("GET")
        };
    }
    if let Some((_, probe)) = PROBES.iter().find(|(probe, _)| *probe == path) {
        return if is_get {
            Answer::One(Bytes::from_static(probe.as_bytes()))
        } else {
            Answer::WrongMethod("GET")
        };
    }
    let about = |step: &str| {
        let id = path.strip_prefix(step)?;
        (!id.is_empty() && !id.contains('/')).then_some(id)
    };
    let streams = || {
        let kind = head.headers.get(CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-ndjson"))
    };
    let route: &dyn Fn() -> Answer = if let Some(id) = about("/fit/") {
        &move || fit(id, body)
    } else if about("/predict/").is_some() {
        &|| score(Scorer::Version, body)
    } else if about("/update/").is_some() {
        &|| match streams() {
            true => lines(body),
            false => score(Scorer::State, body),
        }
    } else {
        return Answer::Refused(StatusCode::NOT_FOUND, "there is nothing here");
    };
    if head.method == Method::POST {
        route()
    } else {
        Answer::WrongMethod("POST")
    }
}

fn fit(id: &str, body: &[u8]) -> Answer {
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return malformed();
    };
    match body.columns() {
        Some(points) if points >= 3 => {
            let id = serde_json::Value::from(id);
            let reply = format!(r#"{{"series_id":{id},"version":"1","points_used":{points}}}"#);
            Answer::One(Bytes::from(reply))
        }
        _ => refused("expected at least 3 timestamps and as many values"),
    }
}

fn score(scorer: Scorer, body: &[u8]) -> Answer {
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return malformed();
    };
    if body.is_point() {
        let reply = match scorer {
            Scorer::Version => POINT,
            Scorer::State => UPDATED,
        };
        return Answer::One(Bytes::from_static(reply.as_bytes()));
    }
    match body.columns() {
        Some(points) if points > 0 => Answer::Batch(columns(scorer, points), points),
        _ => refused("expected timestamp and value, or timestamps and as many values"),
    }
}

fn columns(scorer: Scorer, points: usize) -> Bytes {
    let column = |entry: &str| {
        let mut column = String::with_capacity(points * (entry.len() + 1));
        column.extend(std::iter::repeat_n([entry, ","], points - 1).flatten());
        column + entry
    };
    let no = column("false");
    Bytes::from(match scorer {
        Scorer::Version => format!(
            r#"{{"anomaly":[{no}],"model_version":"1","n_points":{points},"n_anomalies":0}}"#
        ),
        Scorer::State => format!(
            concat!(
                r#"{{"anomaly":[{no}],"model_version":"0","n_points":{points},"n_anomalies":0,"#,
                r#""state_seq":[{one}],"learnt":[{yes}],"alert":[{no}],"#,
                r#""n_learnt":{points},"n_alerts":0}}"#
            ),
            no = no,
            points = points,
            one = column("1"),
            yes = column("true"),
        ),
    })
}

/// An answer a line that is not blank.
fn lines(body: &[u8]) -> Answer {
    let lines = body.split(|byte| *byte == b'\n');
    let points = lines.filter(|line| !line.trim_ascii().is_empty());
    let answers = points.enumerate().map(|(index, line)| {
        let point = serde_json::from_slice::<Body>(line);
        if point.is_ok_and(|body| body.is_point()) {
            Bytes::from_static(UPDATED_LINE.as_bytes())
        } else {
            let loc = format!(r#","errors":[{{"loc":["body",{index}]}}]}}"#);
            let problem = problem(StatusCode::UNPROCESSABLE_ENTITY, "this is no point");
            Bytes::from(format!("{}{loc}\n", problem.trim_end_matches('}')))
        }
    });
    match answers.collect::<Vec<_>>() {
        none if none.is_empty() => refused("expected a point a line"),
        answers => Answer::Lines(answers),
    }
}

fn malformed() -> Answer {
    refused("the body is not JSON of this shape")
}

fn refused(detail: &'static str) -> Answer {
    Answer::Refused(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> String {
    let title = status.canonical_reason().unwrap_or("Refused");
    let code = status.as_u16();
    format!(r#"{{"type":"about:blank","title":"{title}","status":{code},"detail":"{detail}"}}"#)
}

/// The fields that say what a body is; what is in arrays is only counted.
#[derive(Deserialize)]
struct Body {
    timestamp: Option<IgnoredAny>,
    value: Option<f64>,
    timestamps: Option<Count>,
    values: Option<Count>,
}

impl Body {
    fn is_point(&self) -> bool {
        self.timestamp.is_some() && self.value.is_some()
    }

    /// Points in columns that are equally long.
    fn columns(&self) -> Option<usize> {
        let Count(timestamps) = *self.timestamps.as_ref()?;
        let Count(values) = *self.values.as_ref()?;
        (timestamps == values).then_some(values)
    }
}

/// Entries of an array.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while array.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }

        deserializer.deserialize_seq(Entries)
    }
}
