use serde_json::json;

use super::process::{Finished, Stub, run};
use super::trials;

const OPEN: [&str; 4] = ["--rate=100/s", "--duration=600ms", "--series=5", "--strict"];

fn reasons(run: &Finished) -> String {
    let validity = &run.json("summary.json")["validity"];
    assert_eq!(validity["valid"], json!(false));
    validity["reasons"].to_string()
}

#[test]
fn a_saturated_client_is_noticed_every_time() {
    let stub = Stub::start(&[]);
    for trial in 0..trials() {
        let run = run(
            &stub.url,
            &[&OPEN[..], &["--fault=saturate-client"]].concat(),
        );
        assert_eq!(run.code, Some(3), "trial {trial}: {}", run.stdout);
        assert!(run.stdout.contains("NOT A VALID MEASUREMENT"));
        let reasons = reasons(&run);
        assert!(reasons.contains("p99 of its own lag"), "{reasons}");
        assert!(reasons.contains("sent more than 1 ms late"), "{reasons}");
        assert_eq!(run.json("stats.json")["outcomes"]["failed"], 0);
    }
}

/// However late requests are, a server that stalls is what was measured. A slow machine can be late
/// by itself, so that the verdict is not asserted, only what the lag is made of.
#[test]
fn a_server_that_stalls_is_not_the_clients_lag() {
    let stub = Stub::start(&["--stall", "1s@300ms"]);
    let run = run(
        &stub.url,
        &[
            "--rate=200/s",
            "--duration=2s",
            "--max-connections=4",
            "--series=5",
        ],
    );
    let stats = run.json("stats.json");
    let max = |what: &str| stats["ok"][what]["max_ns"].as_u64().unwrap();
    assert!(max("send_lag") > 500_000_000, "{}", max("send_lag"));
    let waited = run.responses();
    let waited = waited.iter().filter(|r| r.get("waited_ns").is_some());
    assert!(waited.clone().count() > 50, "{}", waited.count());
    for response in waited {
        let ns = |field: &str| response[field].as_u64().unwrap();
        assert!(ns("waited_ns") <= ns("sent_ns") - ns("intended_ns"));
    }
    assert!(max("own_lag") < max("send_lag") / 2, "{stats:#}");
}

#[test]
fn a_percentile_that_was_asked_for_needs_its_samples() {
    let stub = Stub::start(&[]);
    let flags = ["--clients=1", "--requests=100", "--series=5", "--strict"];
    let asked = run(&stub.url, &[&flags[..], &["--show=tail=p99"]].concat());
    assert_eq!(asked.code, Some(3), "{}", asked.stdout);
    assert!(
        reasons(&asked).contains("p99 was asked for"),
        "{}",
        reasons(&asked)
    );
    // Not being valid is no failure unless it is asked for.
    let loose = run(&stub.url, &[&flags[..3], &["--show=tail=p99"]].concat());
    assert_eq!(loose.code, Some(0), "{}", loose.stdout);
    assert!(loose.stdout.contains("NOT A VALID MEASUREMENT"));
}
