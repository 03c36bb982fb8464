//! Asking a server what it has.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::AuditError;
use crate::client::{Client, Outcome};

/// How often a question is asked that gets no answer.
const TRIES: u32 = 5;

/// A version as the server has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Found {
    /// What it calls the model's hash.
    pub(super) hash: Option<String>,
    /// What it expects, and the bounds.
    pub(super) figures: Option<[f64; 3]>,
    /// What it was trained with: timestamps and values, all of them.
    pub(super) training: Option<(Vec<i64>, Vec<f64>)>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    model_hash: Option<String>,
    expected_value: Option<f64>,
    lower_bound: Option<f64>,
    upper_bound: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Training {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Calibration {
    online: Option<Online>,
}

#[derive(Debug, Deserialize)]
struct Online {
    state_seq: u64,
}

/// A version of a series, if the server has it; a version never changes, so that asking it about a
/// point changes nothing.
pub(super) async fn version(
    client: &Client,
    series: &str,
    version: u64,
    points: usize,
) -> Result<Option<Found>, AuditError> {
    let body = json!({"timestamp": "1700006400", "value": 1.0});
    let query = format!("version={version}");
    let Some(answer) = ask(client, &["predict", series], Some(&query), Some(&body)).await? else {
        return Ok(None);
    };
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|error| AuditError::Answer(format!("version {version} of {series}: {error}")))?;
    let figures = [
        answer.expected_value,
        answer.lower_bound,
        answer.upper_bound,
    ];
    let figures = match figures {
        [Some(expected), Some(lower), Some(upper)] => Some([expected, lower, upper]),
        _ => None,
    };
    let query = format!("series_id={series}&version={version}");
    let page = ask(client, &["plot"], Some(&query), None).await?;
    let training = page.as_deref().and_then(training);
    Ok(Some(Found {
        hash: answer.model_hash,
        figures,
        // A page with fewer points draws some of many.
        training: training.filter(|(timestamps, _)| timestamps.len() == points),
    }))
}

/// How many points the online state of a series has learnt, if it has one.
pub(super) async fn state_seq(client: &Client, series: &str) -> Result<Option<u64>, AuditError> {
    let path = ["series", series, "calibration"];
    let Some(answer) = ask(client, &path, Some("state=online"), None).await? else {
        return Ok(None);
    };
    let answer: Result<Calibration, _> = serde_json::from_slice(&answer);
    let online = answer.ok().and_then(|answer| answer.online);
    let online = online.ok_or_else(|| {
        AuditError::Answer(format!("the calibration of {series} has no online state"))
    })?;
    Ok(Some(online.state_seq))
}

/// The body of a 200, or `None` for a 404. A server may just be starting.
async fn ask(
    client: &Client,
    path: &[&str],
    query: Option<&str>,
    body: Option<&serde_json::Value>,
) -> Result<Option<bytes::Bytes>, AuditError> {
    let mut why = String::new();
    for tried in 0..TRIES {
        if tried > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(200 << tried)).await;
        }
        let request = match body {
            Some(body) => client
                .post_json(path, query, body)
                .map_err(|error| AuditError::Answer(error.to_string()))?,
            None => client.request(Method::GET, path, query),
        };
        match client.send(request).await {
            Outcome::Reply { status, body, .. } if status == StatusCode::OK => {
                return Ok(Some(body));
            }
            Outcome::Reply { status, .. } if status == StatusCode::NOT_FOUND => return Ok(None),
            Outcome::Reply { status, .. } => why = format!("{status}"),
            Outcome::NoReply { error } => why = error,
        }
    }
    Err(AuditError::Answer(format!("/{}: {why}", path.join("/"))))
}

/// The data of the chart page: what the script element `data` holds.
fn training(page: &[u8]) -> Option<(Vec<i64>, Vec<f64>)> {
    let page = std::str::from_utf8(page).ok()?;
    let (_, rest) = page.split_once(r#"id="data""#)?;
    let (_, rest) = rest.split_once('>')?;
    let (data, _) = rest.split_once("</script>")?;
    let training: Training = serde_json::from_str(data).ok()?;
    Some((training.timestamps, training.values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_is_read_from_the_chart_page() {
        let page = br#"<p>x</p><script type="application/json" id="data" nonce="n">{"timestamps":[1,2],"x":0,"values":[0.5,1]}</script><script>1</script>"#;
        assert_eq!(training(page), Some((vec![1, 2], vec![0.5, 1.0])));
        assert_eq!(training(b"<html>"), None);
        assert_eq!(
            training(br#"<script id="data">{"values":[]}</script>"#),
            None
        );
    }
}
