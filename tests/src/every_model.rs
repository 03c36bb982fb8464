//! What holds for every model alike: columns are single replies, the same fit is the same model, a
//! restart changes no byte, and the chart shows the band that a predict tells.

use serde_json::{Value, json};

use crate::histories::{
    DAY, HOUR, MODELS, MONDAY, daily, daily_and_weekly, end, noise, series, times, with,
};
use crate::server::{Server, point};

/// Fits that between them use every model and every field.
pub(crate) fn fits() -> Vec<(String, Value)> {
    let counter = series(&times(400, HOUR), |i, _| 3.0 * i as f64 + noise(i));
    let few = series(&times(12, HOUR), |i, _| 10.0 + noise(i));
    let mut fits = Vec::new();
    for model in MODELS {
        for (name, body) in [
            ("daily", daily(14)),
            ("counter", counter.clone()),
            ("few", few.clone()),
        ] {
            fits.push((
                format!("{model}-{name}"),
                with(body, &json!({"model": model})),
            ));
        }
        let fields = json!({
            "model": model, "direction": "above", "alarm_rate": 1e-6, "min_deviation": {"rel": 0.2},
            "exclude": [{"from": MONDAY + DAY, "to": MONDAY + 2 * DAY}],
        });
        fits.push((format!("{model}-fields"), with(daily(14), &fields)));
    }
    let zoned = json!({"timezone": "America/New_York"});
    fits.push(("zone".to_owned(), with(daily_and_weekly(4), &zoned)));
    let named = json!({"model": "seasonal", "seasonality": [6 * HOUR, DAY]});
    fits.push(("named".to_owned(), with(daily(14), &named)));
    fits
}

/// Times before, in and after training, and values on both sides of every band.
pub(crate) fn points(body: &Value) -> Vec<(i64, f64)> {
    let last = end(body);
    let times = [
        0,
        MONDAY,
        MONDAY + 90_061,
        last,
        last + HOUR,
        last + 30 * DAY,
        4_000_000_000,
    ];
    let values = [-1e9, 0.0, 10.3, 50.5, 70.0, 1_200.0, 1e300];
    times
        .into_iter()
        .flat_map(|t| values.map(|v| (t, v)))
        .collect()
}

pub(crate) fn columns(points: &[(i64, f64)]) -> Value {
    let (timestamps, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
    json!({"timestamps": timestamps, "values": values})
}

/// Whether the columns say of each point what its own reply says.
fn check_columns(batch: &Value, singles: &[Value]) -> Result<(), String> {
    if batch["n_points"] != singles.len() {
        return Err("n_points".to_owned());
    }
    for (i, single) in singles.iter().enumerate() {
        for (field, value) in single.as_object().ok_or("an object")? {
            let told = match field.as_str() {
                "timestamp" => &batch["timestamps"][i],
                "value" => &batch["values"][i],
                "model_version" | "model_hash" => &batch[field],
                _ => &batch[field][i],
            };
            // Both were parsed by a parser that keeps every bit.
            if told != value {
                return Err(format!("{field} of point {i}: {told} {value}"));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn columns_are_single_replies_in_every_model() {
    let server = Server::start().await;
    let mut tails = [0; 2];
    for (name, body) in fits() {
        server.fit(&name, &body).await.ok();
        let points = points(&body);
        let batch = server.predict(&name, &columns(&points)).await.ok();
        let mut singles = Vec::new();
        for (time, value) in &points {
            singles.push(server.predict(&name, &point(*time, *value)).await.ok());
        }
        check_columns(&batch, &singles).unwrap_or_else(|error| panic!("{name}: {error}"));
        for single in &singles {
            tails[usize::from(single["tail_extrapolated"] == true)] += 1;
        }
        // The control: a reply that differs in one entry of one column is noticed.
        for column in [
            "tail_extrapolated",
            "p_value",
            "lower_bound",
            "status",
            "anomaly",
        ] {
            let mut doctored = batch.clone();
            doctored[column][17] = json!("doctored");
            assert!(
                check_columns(&doctored, &singles).is_err(),
                "{name} {column}"
            );
        }
    }
    assert!(tails.iter().all(|n| *n > 100), "both occur: {tails:?}");
}

#[tokio::test]
async fn a_p_value_beyond_the_data_says_so() {
    let server = Server::start().await;
    for (name, body) in fits() {
        let fit = server.fit(&name, &body).await.ok();
        let n = fit["calibration"]["n"].as_f64().expect("a count");
        for (time, value) in points(&body) {
            let reply = server.predict(&name, &point(time, value)).await.ok();
            let p_value = reply["p_value"].as_f64().expect("a number");
            let beyond = p_value * (n + 1.0) < 1.0;
            assert_eq!(reply["tail_extrapolated"], beyond, "{name}: {reply}");
        }
    }
}

#[tokio::test]
async fn the_same_fit_is_the_same_model() {
    let server = Server::start().await;
    let mut hashes: Vec<Value> = Vec::new();
    for (name, body) in fits() {
        let first = server.fit(&name, &body).await.ok();
        let second = server.fit(&name, &body).await.ok();
        let elsewhere = server.fit("elsewhere", &body).await.ok();
        assert_eq!(
            (&first["version"], &second["version"]),
            (&json!("1"), &json!("2"))
        );
        for other in [&second, &elsewhere] {
            assert_eq!(first["model_hash"], other["model_hash"], "{name}");
        }
        let predicted = server.predict(&name, &point(MONDAY, 1.0)).await.ok();
        assert_eq!(predicted["model_hash"], first["model_hash"]);
        // The control: one value a little higher is another model.
        let mut other = body.clone();
        let last = body["values"].as_array().map_or(0, Vec::len) - 1;
        let value = other["values"][last].as_f64().expect("a number");
        other["values"][last] = json!(value + 40.0);
        let other = server.fit("other", &other).await.ok();
        assert_ne!(other["model_hash"], first["model_hash"], "{name}");
        hashes.push(first["model_hash"].clone());
    }
    hashes.sort_by_key(ToString::to_string);
    hashes.dedup();
    assert!(hashes.len() > 20, "{} models differ", hashes.len());
}

#[tokio::test]
async fn a_restart_changes_no_byte_of_any_model() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let all = async |server: &Server| {
        let mut bodies = Vec::new();
        for (name, body) in fits() {
            let target = format!("{name}?version=1&explain=true");
            let reply = server.predict(&target, &columns(&points(&body))).await;
            reply.ok();
            bodies.push(reply.body);
        }
        bodies
    };
    let server = Server::at(folder.path(), &[]).await;
    for (name, body) in fits() {
        server.fit(&name, &body).await.ok();
    }
    let before = all(&server).await;
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    assert_eq!(all(&server).await, before);
    // The control: another fit is another answer.
    let (name, _) = &fits()[0];
    server.fit(name, &daily_and_weekly(3)).await.ok();
    let body = columns(&[(MONDAY, 50.0)]);
    let first = server
        .predict(&format!("{name}?version=1"), &body)
        .await
        .ok();
    let second = server
        .predict(&format!("{name}?version=2"), &body)
        .await
        .ok();
    assert_ne!(first["expected_value"], second["expected_value"]);
    server.stop().await;
}

/// The JSON that the page of a chart draws.
pub(crate) fn drawn(page: &str) -> Value {
    let start = page.find("id=\"data\"").expect("a data element");
    let open = start + page[start..].find('>').expect("its end") + 1;
    let close = open + page[open..].find("</script>").expect("its closing tag");
    serde_json::from_str(&page[open..close]).expect("JSON")
}

#[tokio::test]
async fn the_chart_of_every_model_shows_the_band_that_a_predict_tells() {
    let server = Server::start().await;
    for (name, body) in fits() {
        server.fit(&name, &body).await.ok();
        let page = server.get(&format!("/plot?series_id={name}")).await;
        assert_eq!(page.status, 200);
        let chart = drawn(page.text());
        let columns = json!({"timestamps": body["timestamps"], "values": body["values"]});
        let told = server.predict(&name, &columns).await.ok();
        for (drawn, column) in [
            ("timestamps", "timestamps"),
            ("values", "values"),
            ("expected", "expected_value"),
            ("upper", "upper_bound"),
            ("anomaly", "anomaly"),
        ] {
            assert_eq!(chart[drawn], told[column], "{name}: {drawn}");
        }
        assert_eq!(chart["ticks_per_second"], 1);
        let expected = chart["expected"].as_array().expect("a column");
        let moves = expected.iter().any(|value| value != &expected[0]);
        let seasonal = name.starts_with("seasonal-daily") || name == "zone";
        assert!(moves || !seasonal, "{name}: the band follows the season");
        assert!(
            !(moves && name.starts_with("gaussian")),
            "{name}: the control"
        );
    }
    let milliseconds: Vec<i64> = times(100, HOUR).iter().map(|t| t * 1_000).collect();
    let body = with(
        series(&milliseconds, |i, _| noise(i)),
        &json!({"time_unit": "ms"}),
    );
    server.fit("ms", &body).await.ok();
    let page = server.get("/plot?series_id=ms").await;
    let chart = drawn(page.text());
    assert_eq!(
        chart["ticks_per_second"], 1_000,
        "the script tells times in seconds"
    );
    assert_eq!(chart["timestamps"], body["timestamps"]);
}
