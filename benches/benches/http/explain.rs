//! Predicts of one point with `?explain=true` beside the same without it, four connections each.

use benches::ask::Connection;
use benches::process::Server;
use benches::report::{Contender, Target, ratio, verdict};
use benches::servers::Role;
use benches::{data, requests};
use service::store::Durability;

use crate::fixture::{folder, rounds, warm_up};

const CONNECTIONS: usize = 4;

/// Points of the history: a month.
const MONTH: usize = 8_640;

pub(crate) fn run() {
    let folder = folder();
    let enter = |name, query| {
        let store = folder.path().join(name);
        let server = Server::start(&Role::service(store, Durability::Synced));
        let mut connection = Connection::open(server.addr()).expect("the service listens");
        let points = data::seasonal_history(data::START, MONTH, 1);
        let more = r#""model":"seasonal","seasonality":[86400,604800],"min_deviation":{"abs":0.5}"#;
        connection.must(&requests::fit(&data::series_id(0), &points, Some(more)));
        let reply = connection.must(&predict(query, 20.0));
        let reply: serde_json::Value = serde_json::from_slice(&reply).expect("it is JSON");
        let reasons = reply["reasons"].as_array().map(Vec::len);
        assert_eq!(reasons, (!query.is_empty()).then_some(4), "{reply}");
        Contender::new(name, server, CONNECTIONS, warm_up(), predicts(query))
    };
    let mut both = [enter("plain", ""), enter("explained", "?explain=true")];
    rounds().run("predict, one point, 4 connections", &mut both);
    let [plain, explained] = &both;
    verdict(
        "explain",
        "p99 of a predict, explained / plain",
        ratio(explained, plain, |s| s.p99_ms),
        Target::AtMost(1.1),
    );
    println!(
        "     p50 {:.3}, CPU {:.3}",
        ratio(explained, plain, |s| s.p50_ms),
        ratio(explained, plain, |s| s.cpu_us)
    );
}

/// A point a day after the history.
fn predict(query: &str, value: f64) -> Vec<u8> {
    let at = data::START + data::SEASONAL_STEP_S * (MONTH as i64 + 288);
    requests::post(
        &format!("/predict/{}{query}", data::series_id(0)),
        &format!(r#"{{"timestamp":"{at}","value":{value}}}"#),
    )
}

/// Values in turn.
fn predicts(query: &str) -> impl FnMut(&mut Vec<u8>) + 'static {
    let values = data::history(1_024, 2).values.into_iter();
    let requests: Vec<Vec<u8>> = values.map(|value| predict(query, value)).collect();
    let mut next = 0;
    move |out| {
        out.extend_from_slice(&requests[next % requests.len()]);
        next += 1;
    }
}
