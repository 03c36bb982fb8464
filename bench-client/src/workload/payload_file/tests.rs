//! Files of payloads, and the requests they become.

use super::super::Workload;
use super::*;
use crate::results::config::WorkloadSpec;

struct File {
    _dir: tempfile::TempDir,
    path: String,
}

fn file(name: &str, text: &str) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    File { _dir: dir, path }
}

fn workload(file: &File, ops: &[Op]) -> (WorkloadSpec, Workload) {
    let payloads = Payloads::read(&file.path, ops).unwrap();
    let spec = WorkloadSpec {
        mix: payloads.mix(),
        series: 2,
        points_per_fit: 5,
        batch: 1,
        distinct: 1,
        payloads: Some(payloads.file().clone()),
        set_up: true,
        sigma: None,
    };
    let workload = Workload::build(&spec, &"http://h".parse().unwrap(), "id", 1).unwrap();
    (spec, workload)
}

/// First line, and body.
fn parts(prepared: &Prepared) -> (String, String) {
    let text = String::from_utf8(prepared.bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let first = head.lines().next().unwrap();
    (first.replace(" HTTP/1.1", ""), body.to_owned())
}

fn error(name: &str, text: &str, ops: &[Op]) -> String {
    let error = Payloads::read(&file(name, text).path, ops).unwrap_err();
    error.to_string()
}

#[test]
fn rows_become_predictions_of_the_runs_series_in_turn() {
    let file = file(
        "p.csv",
        "Value, Timestamp\n1.50,1700000000\n2,2026-01-31T12:00:00Z\n3,7\n",
    );
    let (spec, workload) = workload(&file, &[Op::Predict, Op::Columns]);
    assert_eq!(
        spec.mix,
        [Share {
            op: Op::Predict,
            weight: 3
        }]
    );
    assert_eq!(spec.payloads.unwrap().payloads, 3);
    let sent: Vec<_> = (0..4).map(|i| parts(&workload.request(i))).collect();
    let wanted = [
        (
            "POST /predict/bench_id_0",
            r#"{"timestamp":"1700000000","value":1.5}"#,
        ),
        (
            "POST /predict/bench_id_1",
            r#"{"timestamp":"2026-01-31T12:00:00Z","value":2}"#,
        ),
        ("POST /predict/bench_id_0", r#"{"timestamp":"7","value":3}"#),
        (
            "POST /predict/bench_id_0",
            r#"{"timestamp":"1700000000","value":1.5}"#,
        ),
    ];
    for (sent, wanted) in sent.iter().zip(wanted) {
        assert_eq!((sent.0.as_str(), sent.1.as_str()), wanted);
    }
    assert_eq!(workload.fits_before(), 2);
}

/// Other people's series are not trained anew.
#[test]
fn named_series_are_asked_and_never_fitted() {
    let file = file("p", "timestamp,value,series_id\n1,2,web/1\n2,3,web-2\n");
    let (_, workload) = workload(&file, &[Op::Update]);
    assert_eq!(parts(&workload.request(0)).0, "POST /update/web%2F1");
    assert_eq!(workload.request(1).op, Op::Update);
    let (_, workload) = self::workload(&file, &[Op::Predict]);
    assert_eq!(workload.fits_before(), 0);
}

#[test]
fn lines_are_told_by_their_fields() {
    let text = r#"
{"timestamps":[1,2],"values":[0.10,3],"model":"robust"}
{"timestamp":5,"value":1}
{"series_id":"mine","timestamp":"6","value":2}
{"method":"PUT","path":"/any?x=1","body":{"values":[1,2,3]}}
{"method":"POST","path":"/go"}
"#;
    let file = file("p", text);
    let (spec, workload) = workload(&file, &[Op::Fit, Op::Predict, Op::Custom]);
    let weights: Vec<_> = spec.mix.iter().map(|s| (s.op, s.weight)).collect();
    assert_eq!(weights, [(Op::Fit, 1), (Op::Predict, 2), (Op::Custom, 2)]);
    let requests: Vec<_> = (0..5).map(|i| workload.request(i)).collect();
    let points: Vec<_> = requests.iter().map(|r| r.points).collect();
    assert_eq!(points, [2, 1, 1, 3, 0]);
    let sent: Vec<_> = requests.iter().map(parts).collect();
    assert_eq!(sent[0].0, "POST /fit/bench_id_0");
    assert_eq!(sent[0].1, text.lines().nth(1).unwrap(), "as it stands");
    assert_eq!(sent[1].0, "POST /predict/bench_id_1");
    assert_eq!(sent[2].0, "POST /predict/mine");
    assert_eq!(sent[2].1, r#"{"timestamp":"6","value":2}"#);
    assert_eq!(
        sent[3],
        ("PUT /any?x=1".into(), r#"{"values":[1,2,3]}"#.into())
    );
    assert_eq!(sent[4], ("POST /go".into(), String::new()));
    let bytes = requests[4].bytes.to_vec();
    let head = String::from_utf8(bytes).unwrap();
    assert!(head.contains("\r\nContent-Length: 0\r\n"), "{head}");
}

#[test]
fn many_points_go_as_what_was_asked_for() {
    let file = file("p.jsonl", r#"{"timestamps":[1,"2"],"values":[0.5,3]}"#);
    let sent = |op| parts(&workload(&file, &[op]).1.request(0));
    assert_eq!(sent(Op::Columns).0, "POST /predict/bench_id_0");
    let (line, body) = sent(Op::Ndjson);
    assert_eq!(line, "POST /update/bench_id_0");
    let lines = "{\"timestamp\":1,\"value\":0.5}\n{\"timestamp\":\"2\",\"value\":3}\n";
    assert_eq!(body, lines);
}

#[test]
fn a_bad_line_is_named_with_its_reason() {
    let predict = [Op::Predict];
    let all = [Op::Predict, Op::Columns];
    for (name, text, ops, wanted) in [
        (
            "a.csv",
            "timestamp,value\n1,2\nx,3\n",
            &predict[..],
            "a.csv:3: `x`: expected Unix",
        ),
        (
            "a.csv",
            "timestamp,value\n1,inf\n",
            &predict,
            "a.csv:2: `inf`: expected a finite",
        ),
        (
            "a.csv",
            "timestamp,v\n1,2\n",
            &predict,
            "a.csv:1: there is no column `value`",
        ),
        ("a.csv", "timestamp,value\n1,2,3\n", &predict, "a.csv:2:"),
        (
            "a.csv",
            "timestamp,value,series_id\n1,2,\n",
            &predict,
            "a.csv:2: there is no series_id",
        ),
        (
            "a.csv",
            "timestamp,value\n1,2\n",
            &[Op::Fit],
            "a.csv:1: CSV has a point a row",
        ),
        (
            "a.csv",
            "timestamp,value\n",
            &predict,
            "a.csv: there is no payload",
        ),
        (
            "a.jsonl",
            "{\"timestamp\":1,\"value\":2}\n\n{\n",
            &all,
            "a.jsonl:3: not JSON: EOF",
        ),
        ("a.jsonl", "[1]\n", &all, "a.jsonl:1: expected an object"),
        // What has no name to tell it by, and is neither.
        (
            "a",
            "[1]\n",
            &all,
            "a:1: expected an object, with timestamp",
        ),
        ("a", "17,2\n", &all, "or JSON with an object a line"),
        (
            "a.jsonl",
            r#"{"timestamp":1}"#,
            &all,
            "a.jsonl:1: expected timestamp and value",
        ),
        (
            "a.jsonl",
            r#"{"timestamp":1,"value":null}"#,
            &all,
            "a.jsonl:1: expected timestamp",
        ),
        (
            "a.jsonl",
            r#"{"timestamps":[1],"values":[]}"#,
            &all,
            ":1: 1 timestamps and 0 values",
        ),
        (
            "a.jsonl",
            r#"{"timestamps":[1],"values":[1]}"#,
            &predict,
            ":1: these are many points",
        ),
        (
            "a.jsonl",
            r#"{"timestamp":1,"value":1}"#,
            &[Op::Fit],
            ":1: this is one point",
        ),
        (
            "a.jsonl",
            r#"{"timestamp":1,"value":1,"series_id":5}"#,
            &all,
            ":1: series_id is 5",
        ),
        (
            "a.jsonl",
            r#"{"method":"POST"}"#,
            &all,
            ":1: there is no path",
        ),
        (
            "a.jsonl",
            r#"{"method":"post","path":"/"}"#,
            &all,
            ":1: method `post`",
        ),
        (
            "a.jsonl",
            r#"{"method":"HEAD","path":"/"}"#,
            &all,
            ":1: method HEAD",
        ),
        (
            "a.jsonl",
            r#"{"method":"GET","path":"/a b"}"#,
            &all,
            ":1: path `/a b`",
        ),
        (
            "a.jsonl",
            r#"{"method":"GET","path":"a"}"#,
            &all,
            ":1: path `a`",
        ),
        (
            "a.jsonl",
            r#"{"method":"GET","path":"/","q":1}"#,
            &all,
            ":1: `q` is unknown",
        ),
        ("a.jsonl", "", &all, "a.jsonl: there is no payload"),
        ("a", "{}", &[Op::Health], "a: a health check has no payload"),
        (
            "a",
            "{}",
            &[Op::Fit, Op::Columns],
            "a: its payloads could be sent as",
        ),
    ] {
        let error = error(name, text, ops);
        assert!(error.contains(wanted), "{text}: {error}");
    }
    let missing = Payloads::read("/nowhere/at/all", &all).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read the payloads /nowhere/at/all")
    );
}

#[test]
fn another_file_under_the_same_name_is_not_sent() {
    let file = file("p.csv", "timestamp,value\n1,2\n");
    let (spec, _) = workload(&file, &[Op::Predict]);
    std::fs::write(&file.path, "timestamp,value\n1,3\n").unwrap();
    let again = Workload::build(&spec, &"http://h".parse().unwrap(), "id", 1);
    let error = again.unwrap_err().to_string();
    assert!(
        error.ends_with("it has changed since this run was configured"),
        "{error}"
    );
}
