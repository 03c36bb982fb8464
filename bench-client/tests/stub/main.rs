//! The stub over real sockets: each flag does what it says. Times are only ever bounded from below,
//! so that no slow machine breaks a test.

mod binary;
mod client;

use std::time::{Duration, Instant};

use bench_client::stub::{Settings, Stub};
use serde_json::json;

use self::client::Client;

const POINT: &str = r#"{"timestamp":"1700000000","value":1.5}"#;
const COLUMNS: &str = r#"{"timestamps":[1,2,3,4],"values":[1,2.5,3,4]}"#;

fn start(settings: &Settings) -> Stub {
    Stub::start(settings).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn columns(points: usize) -> String {
    let times: Vec<_> = (0..points).collect();
    json!({"timestamps": times, "values": times}).to_string()
}

fn lines(points: usize) -> String {
    format!("{POINT}\n").repeat(points)
}

#[test]
fn every_operation_is_answered_in_the_contracts_shape() {
    let stub = start(&Settings::default());
    let mut client = Client::connect(&stub.url);
    let fit = client.post("/fit/a%22b", COLUMNS);
    let wanted = json!({"series_id": "a%22b", "version": "1", "points_used": 4});
    assert_eq!((fit.status, fit.json()), (200, wanted));
    assert_eq!(fit.header("content-type"), Some("application/json"));
    let time = fit.header("x-response-time").unwrap();
    let time: f64 = time.strip_suffix("ms").unwrap().parse().unwrap();
    assert!(time >= 0.0);

    let one = client.post("/predict/s?version=0", POINT);
    let wanted = json!({"anomaly": false, "model_version": "1"});
    assert_eq!((one.status, one.json()), (200, wanted));

    let many = client.post("/predict/s", COLUMNS).json();
    assert_eq!(many["n_points"], 4);
    assert_eq!(many["anomaly"], json!([false, false, false, false]));
    assert_eq!(many["model_version"], "1");

    let updated = client.post("/update/s", POINT).json();
    assert_eq!(updated["learnt"], true);
    let updated = client.post("/update/s", COLUMNS).json();
    assert_eq!(
        (&updated["n_points"], &updated["n_learnt"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(updated["state_seq"].as_array().unwrap().len(), 4);

    let streamed = client.post_lines("/update/s", &format!("{POINT}\n\n{{\n{POINT}"));
    assert_eq!(
        streamed.header("content-type"),
        Some("application/x-ndjson")
    );
    let answers = streamed.lines();
    assert_eq!(answers.len(), 3, "{streamed:?}");
    assert_eq!(
        (&answers[0]["learnt"], &answers[2]["learnt"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(answers[1]["status"], 422);
    assert_eq!(answers[1]["errors"][0]["loc"], json!(["body", 1]));

    let health = client.get("/healthcheck").json();
    assert!(health["inference_latency_ms"]["p95"].is_number());
    assert_eq!(stub.requests(), 7);
}

#[test]
fn what_is_wrong_is_refused_and_the_connection_goes_on() {
    let stub = start(&Settings::default());
    let mut client = Client::connect(&stub.url);
    for (path, body, status) in [
        ("/predict/s", "{", 422),
        ("/predict/s", "[]", 422),
        ("/predict/s", r#"{"timestamp":"1"}"#, 422),
        ("/predict/s", r#"{"timestamp":"1","value":null}"#, 422),
        ("/predict/s", r#"{"timestamps":[1],"values":[]}"#, 422),
        ("/fit/s", r#"{"timestamps":[1,2],"values":[1,2]}"#, 422),
        ("/fit/", COLUMNS, 404),
        ("/fit/a/b", COLUMNS, 404),
        ("/nothing", POINT, 404),
        ("/healthcheck", "", 405),
    ] {
        let reply = client.post(path, body);
        assert_eq!(reply.status, status, "{path} {body}: {reply:?}");
        assert_eq!(reply.json()["status"], status);
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(client.post_lines("/update/s", "\n\n").status, 422);
    let wrong = client.get("/predict/s");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    assert_eq!(client.post("/predict/s", POINT).status, 200);
}

#[test]
fn what_is_no_http_is_a_400_and_ends_its_connection() {
    let stub = start(&Settings::default());
    for request in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let mut client = Client::connect(&stub.url);
        assert_eq!(client.send(request).unwrap().status, 400);
    }
    assert_eq!(
        Client::connect(&stub.url).post("/predict/s", POINT).status,
        200
    );
    assert_eq!(stub.requests(), 1, "what is no request is not counted");
}

#[test]
fn a_delay_is_paid_by_every_request() {
    let stub = start(&Settings {
        delay: ms(20),
        ..Settings::default()
    });
    let mut client = Client::connect(&stub.url);
    for reply in [
        client.get("/healthcheck"),
        client.post("/fit/s", &columns(50)),
        client.post("/predict/s", POINT),
        client.post("/update/s", POINT),
    ] {
        assert!(reply.took >= ms(20), "{reply:?}");
        let time = reply.header("x-response-time").unwrap();
        let time: f64 = time.strip_suffix("ms").unwrap().parse().unwrap();
        assert!(
            time >= 20.0 && time <= reply.took.as_secs_f64() * 1e3,
            "{reply:?}"
        );
    }
}

#[test]
fn a_batch_of_n_costs_n_delays() {
    let stub = start(&Settings {
        delay: ms(10),
        ..Settings::default()
    });
    let mut client = Client::connect(&stub.url);
    let batch = client.post("/predict/s", &columns(20));
    assert!(batch.took >= ms(200), "{:?}", batch.took);
    let updated = client.post("/update/s", &columns(15));
    assert!(updated.took >= ms(150), "{:?}", updated.took);
}

#[test]
fn a_stream_costs_a_delay_a_line() {
    let stub = start(&Settings {
        delay: ms(30),
        ..Settings::default()
    });
    let streamed = Client::connect(&stub.url).post_lines("/update/s", &lines(8));
    assert_eq!(streamed.header("transfer-encoding"), Some("chunked"));
    assert_eq!(streamed.lines().len(), 8);
    assert!(streamed.took >= ms(240), "{streamed:?}");
}

/// The whole stream would take longer than any test: had it been held back until its end, or its
/// place been kept after its client had gone, this would wait in vain.
#[test]
fn a_stream_comes_line_by_line_and_ends_with_its_client() {
    let stub = start(&Settings {
        delay: ms(30),
        capacity: Some(1),
        ..Settings::default()
    });
    let mut client = Client::connect(&stub.url);
    client.read_until("/update/s", &lines(100_000), "\"learnt\":true");
    drop(client);
    let next = Client::connect(&stub.url).post("/predict/s", POINT);
    assert_eq!(next.status, 200);
}

#[test]
fn a_batch_costs_what_it_is_told_to() {
    let stub = start(&Settings {
        delay: ms(20),
        batch_cost: Some(2.0),
        ..Settings::default()
    });
    let mut client = Client::connect(&stub.url);
    // Without the flag it would take 2,000 s, which no client here waits for.
    let batch = client.post("/predict/s", &columns(100_000));
    let stream = client.post_lines("/update/s", &lines(10));
    assert_eq!(batch.json()["n_points"], 100_000);
    for took in [batch.took, stream.took] {
        assert!(took >= ms(40), "{took:?}");
    }
}

#[test]
fn a_stall_holds_everybody_until_it_is_over() {
    let stub = start(&Settings {
        stall: Some("400ms@150ms".parse().unwrap()),
        respond: vec!["503:0.5".parse().unwrap()],
        ..Settings::default()
    });
    let mut client = Client::connect(&stub.url);
    let mut moments = vec![Instant::now()];
    client.get("/healthcheck");
    while moments[0].elapsed() < ms(700) {
        client.post("/predict/s", POINT);
        moments.push(Instant::now());
    }
    // Of 400 ms without an answer a slow client can see one in the middle, which came late.
    let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = gaps.max().unwrap();
    assert!(longest >= ms(200), "{longest:?}");
}

#[test]
fn refusals_and_drops_have_their_shares() {
    let stub = start(&Settings {
        respond: vec!["503:0.2".parse().unwrap(), "500:0.1".parse().unwrap()],
        drop: 0.1,
        seed: 5,
        ..Settings::default()
    });
    let mut counts = [0_u32; 4];
    let mut client = Client::connect(&stub.url);
    for _ in 0..1_000 {
        match client.try_post("/predict/s", "application/json", POINT) {
            Some(reply) if reply.status == 200 => counts[0] += 1,
            Some(reply) if reply.status == 503 => {
                assert_eq!(reply.header("retry-after"), Some("1"));
                counts[1] += 1;
            }
            Some(reply) => {
                assert_eq!((reply.status, reply.header("retry-after")), (500, None));
                counts[2] += 1;
            }
            None => {
                counts[3] += 1;
                client = Client::connect(&stub.url);
            }
        }
    }
    assert_eq!(stub.requests(), 1_000);
    // The seed is fixed and the requests come one after the other: these are always the same.
    for (count, expected) in counts.iter().zip([600_u32, 200, 100, 100]) {
        assert!(count.abs_diff(expected) < 50, "{counts:?}");
    }
}

#[test]
fn no_more_than_the_capacity_is_handled_at_once() {
    let stub = start(&Settings {
        delay: ms(50),
        capacity: Some(2),
        threads: 2,
        ..Settings::default()
    });
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Client::connect(&stub.url).post("/predict/s", POINT));
        }
    });
    // Four rounds of two.
    assert!(begin.elapsed() >= ms(200), "{:?}", begin.elapsed());
    // A stream is handled until its end.
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Client::connect(&stub.url).post_lines("/update/s", &lines(3)));
        }
    });
    assert!(begin.elapsed() >= ms(300), "{:?}", begin.elapsed());
}

#[test]
fn connections_go_to_all_threads_and_end_with_the_stub() {
    let stub = start(&Settings {
        threads: 3,
        ..Settings::default()
    });
    let mut clients: Vec<_> = (0..12).map(|_| Client::connect(&stub.url)).collect();
    for client in &mut clients {
        assert_eq!(client.post("/predict/s", POINT).status, 200);
    }
    assert_eq!(stub.requests(), 12);
    drop(stub);
    for mut client in clients {
        assert!(client.closed());
    }
}

#[test]
fn probes_are_answered_as_an_orchestrator_asks() {
    let stub = Stub::start(&Settings::default()).unwrap();
    let mut client = Client::connect(&stub.url);
    for probe in ["live", "ready", "startup"] {
        let reply = client.get(&format!("/health/{probe}"));
        assert_eq!(reply.status, 200, "{probe}");
    }
    assert_eq!(client.get("/health/else").status, 404);
}
