use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use super::process::{Finished, Stub, bench, run, start};
use super::trials;

fn audit(ledger: &Path) -> (Finished, Value) {
    let done = bench(&["audit", "--json", "--ledger", ledger.to_str().unwrap()]);
    let json = serde_json::from_str(&done.stdout).unwrap_or_default();
    (done, json)
}

const FITS: [&str; 6] = [
    "--workload=fit",
    "--clients=8",
    "--requests=1000",
    "--series=20",
    "--points-per-fit=10",
    "--warm-up=0",
];

fn with_ledger<'a>(flags: &[&'a str], flag: &'a str) -> Vec<&'a str> {
    [flags, &[flag]].concat()
}

#[test]
fn what_is_kept_passes() {
    let dir = tempfile::tempdir().unwrap();
    let mixed = [
        "--workload=fit=3,update=2,predict=1",
        "--clients=8",
        "--requests=1200",
        "--series=10",
        "--points-per-fit=10",
    ];
    for (n, flags) in [&FITS[..], &mixed].into_iter().enumerate() {
        // Runs of one second have series of the same names.
        let stub = Stub::start(&["--learn"]);
        let ledger = dir.path().join(format!("ledger-{n}"));
        let flag = format!("--ledger={}", ledger.display());
        let run = run(&stub.url, &with_ledger(flags, &flag));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let (done, found) = audit(&ledger);
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        for none in [
            "lost",
            "duplicated",
            "corrupted",
            "gaps",
            "order",
            "unknown",
            "content_unchecked",
        ] {
            assert_eq!(found[none], 0, "{none}: {found:#}");
        }
        assert_eq!(found["present"], found["acknowledged"]);
        assert!(found["present"].as_u64() > Some(500), "{found:#}");
    }
}

#[test]
fn one_lost_acknowledgement_in_1_000_is_noticed_every_time() {
    for trial in 0..trials() {
        let stub = Stub::start(&["--lose-ack=0.001", "--seed", &trial.to_string()]);
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger");
        let flag = format!("--ledger={}", ledger.display());
        let run = run(&stub.url, &with_ledger(&FITS, &flag));
        assert_eq!(
            run.code,
            Some(0),
            "the run itself cannot know: {}",
            run.stderr
        );
        let (done, found) = audit(&ledger);
        assert_eq!(
            done.code,
            Some(4),
            "trial {trial}: {found:#}{}",
            done.stderr
        );
        assert_eq!(
            (&found["lost"], &found["present"]),
            (&1.into(), &999.into())
        );
        assert!(
            found["findings"][0]
                .as_str()
                .unwrap()
                .contains("lost: version")
        );
    }
}

#[test]
fn a_lost_update_is_noticed() {
    let stub = Stub::start(&["--lose-ack=0.01"]);
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let flag = format!("--ledger={}", ledger.display());
    let flags = [
        "--workload=update",
        "--clients=1",
        "--requests=100",
        "--series=5",
        &flag,
    ];
    assert_eq!(run(&stub.url, &flags).code, Some(0));
    let (done, found) = audit(&ledger);
    assert_eq!(done.code, Some(4), "{found:#}{}", done.stderr);
    assert_eq!((&found["lost"], &found["present"]), (&1.into(), &99.into()));
}

/// What a killed client had in the air is unknown; the server may have it and may not, and nothing of it
/// is lost. What it was told of and wrote down is there.
#[test]
fn a_ledger_survives_kill_9_of_the_client() {
    let stub = Stub::start(&["--learn", "--delay-ms=1"]);
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let flag = format!("--ledger={}", ledger.display());
    let flags = [
        "--workload=fit",
        "--clients=8",
        "--duration=60s",
        "--series=7",
        "--points-per-fit=10",
        &flag,
    ];
    let killed = start(&stub.url, &flags);
    killed.wait_for_responses(300);
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().code, None);
    let (done, found) = audit(&ledger);
    assert_eq!(done.code, Some(0), "{found:#}{}", done.stderr);
    // Announced by ranges, of which most were not sent.
    assert!(found["unknown"].as_u64() >= Some(8), "{found:#}");
    assert!(found["present"].as_u64() >= Some(200), "{found:#}");
    assert_eq!(found["present"], found["acknowledged"]);

    // The last line may be cut anywhere.
    let bytes = std::fs::read(&ledger).unwrap();
    std::fs::write(&ledger, &bytes[..bytes.len() - 7]).unwrap();
    let (done, found) = audit(&ledger);
    assert_eq!(done.code, Some(0), "{found:#}{}", done.stderr);
    assert_eq!(found["torn"], true);
    // Any other damage is told, and there is no verdict.
    let mut damaged = bytes;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&ledger, &damaged).unwrap();
    let (done, _) = audit(&ledger);
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(done.stderr.contains("damaged in line"), "{}", done.stderr);
}

#[test]
fn a_server_that_lost_everything_and_one_that_is_not_there() {
    let stub = Stub::start(&["--learn"]);
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let flag = format!("--ledger={}", ledger.display());
    let flags = [
        "--workload=fit",
        "--clients=2",
        "--requests=20",
        "--series=5",
        &flag,
    ];
    assert_eq!(run(&stub.url, &flags).code, Some(0));
    // A ledger is of one run.
    let again = run(&stub.url, &flags);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("cannot use the ledger"),
        "{}",
        again.stderr
    );

    let empty = Stub::start(&["--learn"]);
    let path = ledger.to_str().unwrap();
    let lost = bench(&["audit", "--ledger", path, "--base-url", &empty.url]);
    assert_eq!(lost.code, Some(4), "{}", lost.stderr);
    assert!(
        lost.stdout.contains("lost               20"),
        "{}",
        lost.stdout
    );
    assert!(lost.stdout.ends_with("FAILED\n"), "{}", lost.stdout);
    drop(stub);
    let gone = bench(&["audit", "--ledger", path]);
    assert_eq!(gone.code, Some(1), "{}", gone.stdout);
    assert!(
        gone.stderr.contains("does not say what it has"),
        "{}",
        gone.stderr
    );
}

#[test]
fn a_ledger_is_about_writes() {
    for mix in ["predict", "fit,ndjson"] {
        let mix = format!("--workload={mix}");
        let refused = run("http://127.0.0.1:1", &[&mix, "--ledger=/nowhere/x"]);
        assert_eq!(refused.code, Some(2), "{mix}: {}", refused.stderr);
        assert!(refused.stderr.contains("--ledger"), "{}", refused.stderr);
    }
}
