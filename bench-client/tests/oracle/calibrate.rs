use serde_json::Value;

use super::process::{Stub, bench, run};

#[test]
fn a_calibration_has_a_floor_and_a_highest_rate_and_is_told_with_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("calibration.json");
    let path = file.to_str().unwrap();
    let done = bench(&["calibrate", "--each=200ms", "--out", path]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("highest rate "), "{}", done.stdout);
    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let closed = saved["closed"].as_array().unwrap();
    assert_eq!(closed[0]["clients"], 1);
    let rates: Vec<f64> = closed
        .iter()
        .map(|it| it["per_s"].as_f64().unwrap())
        .collect();
    let highest = rates.iter().copied().fold(0.0, f64::max);
    assert!(rates.iter().all(|per_s| *per_s > 0.0), "{saved:#}");
    assert_eq!(saved["highest"]["per_s"].as_f64(), Some(highest));
    let p50_ms = closed[0]["p50_ms"].as_f64().unwrap();
    assert!(p50_ms > 0.0, "{saved:#}");

    let stub = Stub::start(&[]);
    let flag = format!("--calibration={path}");
    let told = run(
        &stub.url,
        &["--clients=1", "--requests=10", "--series=2", &flag],
    );
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let contributed = &told.json("summary.json")["contributed"]["calibration"];
    assert_eq!(contributed["floor"]["p50_ms"].as_f64(), Some(p50_ms));
    assert!(told.stdout.contains("\ncalibration\n"), "{}", told.stdout);

    let missing = run(&stub.url, &["--calibration=/nowhere/x"]);
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    assert!(missing.stderr.contains("cannot use the calibration"));
}
