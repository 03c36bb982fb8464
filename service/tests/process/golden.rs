//! D10: a store of an earlier release is opened and answers as it did; one of a later release is
//! refused in words.
//!
//! `golden/store-v1.tar.gz` was written by the first release that had stores of format 1, and
//! `golden/store-v1.json` by asking that same server; those of format 2 likewise. None is written again: a
//! release that changes the format adds a pair of its own. This makes those of the last format:
//!
//! ```text
//! TIDEMARK_WRITE_GOLDEN=1 cargo test -p service --test process golden
//! ```

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use service::store::record::{STORE_FORMAT, seal_number};

use super::binary::{Tidemark, run, serve};
use super::http::{Connection, once};

fn golden(format: u16, extension: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("store-v{format}.{extension}"))
}

fn unpack(into: &Path) {
    unpack_format(1, into);
}

fn unpack_format(format: u16, into: &Path) {
    let packed = File::open(golden(format, "tar.gz"));
    let packed = packed.expect("the golden store is in the repository");
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    archive.unpack(into).expect("it unpacks");
}

/// Every request whose reply is kept: single points and columns of every version, and the
/// training points behind its plot; of format 2 on those of versions that were deleted, too.
fn requests(format: u16) -> Vec<(&'static str, String, String)> {
    let bodies = [
        json!({"timestamp": "1769846400", "value": 12.5}),
        json!({"timestamp": 1_700_000_000, "value": -1e300}),
        json!({"timestamps": [1, 2, 3, 4], "values": [0.1, 10.0, 10.7, 55.5]}),
    ];
    let mut requests = Vec::new();
    let mut series = vec![("short", 1), ("long", 1), ("many", 5), ("A-Z.a_z:0@9", 2)];
    if format >= 2 {
        series.extend([("gone", 2), ("again", 3)]);
    }
    for (series, versions) in series {
        for version in 0..=versions + 1 {
            for body in &bodies {
                let target = format!("/predict/{series}?version={version}");
                requests.push(("POST", target, body.to_string()));
            }
            let target = format!("/plot?series_id={series}&version={version}");
            requests.push(("GET", target, String::new()));
        }
    }
    if format >= 2 {
        for series in ["many", "gone", "again"] {
            let target = format!("/predict/{series}?alias=champion");
            requests.push(("POST", target, bodies[0].to_string()));
        }
    }
    requests
}

/// What has to stay of a reply: a refusal's code, a prediction, a plot's points.
fn kept(addr: SocketAddr, method: &str, target: &str, body: &str) -> Value {
    let reply = once(addr, method, target, body.as_bytes()).expect("a running server answers");
    if reply.status != 200 {
        return json!({"status": reply.status, "code": reply.json()["code"]});
    }
    if method == "POST" {
        return json!(reply.text());
    }
    let page = reply.text();
    let start = page.find("id=\"data\"").expect("a data element");
    let open = start + page[start..].find('>').expect("its end") + 1;
    let close = open + page[open..].find("</script>").expect("its closing tag");
    let data: Value = serde_json::from_str(&page[open..close]).expect("JSON");
    json!({"timestamps": data["timestamps"], "values": data["values"]})
}

/// Whether an answer has every member that the kept reply has, to the last bit of every number. A
/// later release may add members, never take one away or change its type.
fn still_says(answer: &Value, reply: &Value) -> bool {
    let (Some(answer), Some(reply)) = (answer.as_str(), reply.as_str()) else {
        return answer == reply;
    };
    let members = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let (answer, reply) = (members(answer), members(reply));
    let kept = reply.as_object().expect("an object");
    kept.iter()
        .all(|(name, value)| answer.get(name) == Some(value))
}

/// The control of the comparison.
#[test]
fn an_answer_that_says_less_or_something_else_is_noticed() {
    let reply = json!(r#"{"anomaly":false,"p_value":0.1,"severity":0.0}"#);
    let says = |answer: &str| still_says(&json!(answer), &reply);
    assert!(says(
        r#"{"anomaly":false,"p_value":0.1,"severity":0.0,"more":1}"#
    ));
    for answer in [
        r#"{"anomaly":false,"p_value":0.1}"#,
        r#"{"anomaly":true,"p_value":0.1,"severity":0.0}"#,
        r#"{"anomaly":false,"p_value":0.10000000000000002,"severity":0.0}"#,
        r#"{"anomaly":false,"p_value":0.1,"severity":0}"#,
    ] {
        assert!(!says(answer), "{answer}");
    }
    assert!(!still_says(&json!({"status": 404}), &reply));
}

#[test]
fn a_store_of_format_1_answers_as_it_did() {
    answers_as_it_did(1, 4);
}

#[test]
fn a_store_of_format_2_answers_as_it_did() {
    if std::env::var_os("TIDEMARK_WRITE_GOLDEN").is_some() {
        write_golden();
    }
    answers_as_it_did(2, 5);
}

fn answers_as_it_did(format: u16, n_series: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack_format(format, folder.path());
    let text = std::fs::read_to_string(golden(format, "json")).expect("it is in the repository");
    let expected: Vec<(String, String, String, Value)> =
        serde_json::from_str(&text).expect("requests with their replies");
    assert_eq!(expected.len(), requests(format).len());
    for round in 1..=2 {
        let server = Tidemark::start(folder.path(), &[]);
        for (method, target, body, reply) in &expected {
            let answer = kept(server.addr, method, target, body);
            assert!(
                still_says(&answer, reply),
                "round {round}: {method} {target} {body}\n{answer}\n{reply}"
            );
        }
        let health = once(server.addr, "GET", "/healthcheck", b"").expect("a reply");
        assert_eq!(health.json()["series_trained"], n_series);
        server.stop();
    }
}

#[test]
fn a_store_of_format_1_takes_deletions() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack(folder.path());
    let predict = |server: &Tidemark, target: &str| {
        let reply = once(server.addr, "POST", target, super::payload::POINT);
        reply.expect("a reply").status
    };
    let server = Tidemark::start(folder.path(), &[]);
    for target in [
        "/series/many/versions/2",
        "/series/many/versions/5",
        "/series/long",
    ] {
        let reply = once(server.addr, "DELETE", target, b"").expect("a reply");
        assert_eq!(reply.status, 204, "{target}: {}", reply.text());
    }
    server.stop();
    let server = Tidemark::start(folder.path(), &[]);
    let there: Vec<u64> = (1..=5)
        .filter(|version| predict(&server, &format!("/predict/many?version={version}")) == 200)
        .collect();
    assert_eq!(there, [1, 3, 4]);
    assert_eq!(predict(&server, "/predict/long"), 404);
    for (series, version) in [("many", "6"), ("long", "2")] {
        let body = super::payload::fit(1, 100);
        let fit = once(server.addr, "POST", &format!("/fit/{series}"), &body);
        assert_eq!(fit.expect("a reply").json()["version"], version);
    }
    server.stop();
}

#[test]
fn a_store_of_format_1_takes_further_versions() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack(folder.path());
    let server = Tidemark::start(folder.path(), &[]);
    let body = super::payload::fit(1, 100);
    let fit = once(server.addr, "POST", "/fit/many", &body).expect("a reply");
    assert_eq!(fit.json()["version"], "6", "{}", fit.text());
    server.stop();
}

#[test]
fn a_store_of_format_1_takes_online_states() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack(folder.path());
    for seq in 1..=2 {
        let server = Tidemark::start(folder.path(), &[]);
        let body = json!({"timestamp": 1_800_000_000 + seq, "value": 50.5}).to_string();
        let update = once(server.addr, "POST", "/update/long", body.as_bytes());
        let update = update.expect("a reply").json();
        assert_eq!(update["state_seq"], seq, "{update}");
        assert_eq!(update["model_version"], "1", "{update}");
        server.stop();
    }
}

#[test]
fn a_store_of_format_1_takes_aliases_and_idempotency_keys() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack(folder.path());
    let body = super::payload::fit(1, 4);
    for round in 1..=2 {
        let server = Tidemark::start(folder.path(), &[]);
        let put = once(
            server.addr,
            "PUT",
            "/series/many/aliases/old",
            br#"{"version":"2"}"#,
        );
        assert_eq!(
            put.expect("a reply").status,
            if round == 1 { 201 } else { 200 }
        );
        let mut connection = Connection::open(server.addr).expect("it listens");
        let sent = connection.send_with("Idempotency-Key: k\r\n", "POST", "/fit/many", &body);
        sent.expect("it reads");
        let fit = connection.receive().expect("a reply");
        assert_eq!(fit.json()["version"], "6", "round {round}: {}", fit.text());
        let asked = once(
            server.addr,
            "POST",
            "/predict/many?alias=old",
            super::payload::POINT,
        );
        assert_eq!(asked.expect("a reply").json()["model_version"], "2");
        server.stop();
    }
}

#[test]
fn a_store_of_a_later_format_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    unpack(folder.path());
    Tidemark::start(folder.path(), &[]).stop();
    let later = u64::from(STORE_FORMAT) + 1;
    {
        let store = fjall::Database::builder(folder.path().join("store"));
        let store = store.open().expect("nobody has it open");
        let meta = store.keyspace("meta", fjall::KeyspaceCreateOptions::default);
        let meta = meta.expect("it is there");
        meta.insert("format", seal_number(later))
            .expect("it can be written");
        store
            .persist(fjall::PersistMode::SyncAll)
            .expect("it can be synced");
    }
    let ended = run(&mut serve(folder.path(), &[]));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(!ended.output.contains("listening"), "{}", ended.output);
    let words =
        format!("the store has format {later}, this release reads formats up to {STORE_FORMAT}");
    assert!(ended.errors.contains(&words), "{}", ended.errors);
}

/// Values that need every one of their bits.
fn history(n: usize, level: f64) -> Value {
    let values: Vec<f64> = (0..n)
        .map(|i| level + ((i * 7_919 + 13) % 1_000) as f64 / 999.0)
        .collect();
    let timestamps: Vec<usize> = (0..n).map(|i| 1_700_000_000 + 300 * i).collect();
    json!({ "timestamps": timestamps, "values": values })
}

fn write_golden() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("data");
    let fit = |server: &Tidemark, series: &str, mut body: Value, parameters: Value| {
        for (name, value) in parameters.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let target = format!("/fit/{series}");
        let reply = once(server.addr, "POST", &target, body.to_string().as_bytes());
        let reply = reply.expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    // Two runs: what the first one wrote has been recovered once.
    let server = Tidemark::start(&data, &[]);
    fit(&server, "short", history(6, 10.0), json!({}));
    fit(
        &server,
        "long",
        history(400, 50.0),
        json!({"model": "robust", "alarm_rate": 0.01}),
    );
    fit(
        &server,
        "A-Z.a_z:0@9",
        history(40, -5.0),
        json!({"direction": "below"}),
    );
    server.stop();
    let server = Tidemark::start(&data, &[]);
    for k in 1..=5 {
        let parameters = json!({"model": "gaussian", "sigma": k, "direction": "above"});
        fit(&server, "many", history(3 * k, 10.0 * k as f64), parameters);
    }
    fit(&server, "A-Z.a_z:0@9", history(100, 7.0), json!({}));
    for series in ["gone", "again"] {
        fit(&server, series, history(8, 3.0), json!({}));
        fit(
            &server,
            series,
            history(9, 3.0),
            json!({"set_alias": "champion"}),
        );
    }
    fit(
        &server,
        "many",
        history(8, 3.0),
        json!({"set_alias": "champion"}),
    );
    for target in [
        "/series/many/versions/2",
        "/series/many/versions/5",
        "/series/gone",
        "/series/again",
    ] {
        let reply = once(server.addr, "DELETE", target, b"").expect("a reply");
        assert_eq!(reply.status, 204, "{target}: {}", reply.text());
    }
    fit(&server, "again", history(10, 3.0), json!({}));
    let kept: Vec<(&str, String, String, Value)> = requests(STORE_FORMAT)
        .into_iter()
        .map(|(method, target, body)| {
            let reply = kept(server.addr, method, &target, &body);
            (method, target, body, reply)
        })
        .collect();
    server.stop();
    let lines: Vec<String> = kept.iter().map(|entry| json!(entry).to_string()).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    std::fs::write(golden(STORE_FORMAT, "json"), text).expect("the file can be written");
    let packed = File::create(golden(STORE_FORMAT, "tar.gz")).expect("the file can be made");
    let mut archive = tar::Builder::new(GzEncoder::new(packed, Compression::best()));
    archive.mode(tar::HeaderMode::Deterministic);
    archive
        .append_dir_all(".", &data)
        .expect("the store can be read");
    let packer = archive.into_inner().expect("the archive can be ended");
    packer.finish().expect("the file can be written");
}
