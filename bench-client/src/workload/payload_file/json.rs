//! JSON, a payload a line.

use serde_json::{Map, Value};

use super::super::generated::Kind;
use super::{BadLine, Payload, Reading, Recipient};

/// What a payload is told by.
const FIELDS: &str = "timestamp and value, timestamps and values, or method and path";

pub(super) fn parse(text: &str, reading: Reading) -> Result<Vec<Payload>, BadLine> {
    let mut payloads = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if !content.is_empty() {
            payloads.push(payload(content, reading).map_err(|reason| (line, reason))?);
        }
    }
    Ok(payloads)
}

fn payload(content: &str, reading: Reading) -> Result<Payload, String> {
    let value: Value = serde_json::from_str(content).map_err(|error| {
        // Its place within the line says less than what is wrong.
        let error = error.to_string();
        let reason = error.split(" at line ").next().unwrap_or(&error);
        format!("not JSON: {reason}")
    })?;
    let Value::Object(mut fields) = value else {
        return Err(format!("expected an object, with {FIELDS}"));
    };
    if fields.contains_key("method") || fields.contains_key("path") {
        return custom(fields);
    }
    let series = match fields.remove("series_id") {
        None => None,
        Some(Value::String(id)) if !id.is_empty() => Some(id),
        Some(other) => return Err(format!("series_id is {other}: expected a name")),
    };
    let (kind, points) = kind(&fields, reading)?;
    let body = match kind {
        Kind::Ndjson => lines(&fields),
        // As it stands in the file, to the last digit.
        _ if series.is_none() => content.to_owned(),
        _ => Value::Object(fields).to_string(),
    };
    Ok(Payload {
        to: Recipient::new(kind, series),
        body: Some(body),
        points,
    })
}

/// What the fields are the body of.
fn kind(fields: &Map<String, Value>, reading: Reading) -> Result<(Kind, u32), String> {
    let array = |name: &str| fields.get(name).and_then(Value::as_array);
    if let (Some(timestamps), Some(values)) = (array("timestamps"), array("values")) {
        if timestamps.len() != values.len() || values.is_empty() {
            let (t, v) = (timestamps.len(), values.len());
            return Err(format!("{t} timestamps and {v} values"));
        }
        let kind = reading.many.ok_or(
            "these are many points, sent as fit, columns or ndjson, none of which is asked for",
        )?;
        return Ok((kind, points(fields)));
    }
    if fields.contains_key("timestamp") && fields.get("value").is_some_and(Value::is_number) {
        let kind = reading
            .one
            .ok_or("this is one point, sent as predict or update, neither of which is asked for")?;
        return Ok((kind, 1));
    }
    Err(format!("expected {FIELDS}"))
}

fn points(fields: &Map<String, Value>) -> u32 {
    match (fields.get("values"), fields.get("value")) {
        (Some(Value::Array(values)), _) => u32::try_from(values.len()).unwrap_or(u32::MAX),
        (None, Some(_)) => 1,
        _ => 0,
    }
}

/// A point a line.
fn lines(fields: &Map<String, Value>) -> String {
    let column = |name: &str| fields.get(name).and_then(Value::as_array);
    let (timestamps, values) = (column("timestamps"), column("values"));
    let points = timestamps
        .into_iter()
        .flatten()
        .zip(values.into_iter().flatten());
    let lines = points.map(|(t, v)| format!("{{\"timestamp\":{t},\"value\":{v}}}\n"));
    lines.collect()
}

fn custom(mut fields: Map<String, Value>) -> Result<Payload, String> {
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{name} is {other}: expected a text")),
        None => Err(format!("there is no {name}")),
    };
    let (method, path) = (text("method")?, text("path")?);
    let body = fields.remove("body");
    if let Some(unknown) = fields.keys().next() {
        return Err(format!(
            "`{unknown}` is unknown beside method, path and body"
        ));
    }
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!(
            "method `{method}`: expected capitals, such as POST"
        ));
    }
    if matches!(method.as_str(), "HEAD" | "CONNECT" | "TRACE") {
        return Err(format!(
            "method {method}: its replies are not those of other requests"
        ));
    }
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if !path.starts_with('/') || !path.bytes().all(visible) {
        return Err(format!(
            "path `{path}`: expected one that begins with / and is percent-encoded"
        ));
    }
    let points = body.as_ref().and_then(Value::as_object).map_or(0, points);
    Ok(Payload {
        to: Recipient::Custom { method, path },
        body: body.map(|body| body.to_string()),
        points,
    })
}
