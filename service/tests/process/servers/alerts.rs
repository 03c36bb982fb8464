//! The alert rules, by the tests that stand beside them, which promtool runs.

use std::path::Path;
use std::process::Command;

const RULES: &str = include_str!("../../../../deploy/prometheus/alerts.yml");
const TESTS: &str = include_str!("../../../../deploy/prometheus/alerts_test.yml");

/// What promtool says of `rules`; an error if a test does not hold.
fn judge(rules: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("the folder can be written to");
    };
    write("alerts.yml", rules);
    write("alerts_test.yml", TESTS);
    promtool(&["test", "rules", "alerts_test.yml"], folder.path())
}

fn promtool(arguments: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("this test needs promtool: apt-get install prometheus");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(()),
        false => Err(said(&output.stdout) + &said(&output.stderr)),
    }
}

/// The lines of each alert, by name.
fn alerts() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut alerts: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in RULES.lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            alerts.push((name, Vec::new()));
        } else if let Some((_, lines)) = alerts.last_mut() {
            lines.push(line);
        }
    }
    alerts
}

/// The rules with one line of one alert exchanged.
fn seeded(alert: &str, line: &str, fault: &str) -> String {
    let from = RULES
        .find(&format!("- alert: {alert}\n"))
        .expect("it is there");
    let (before, after) = RULES.split_at(from);
    before.to_owned() + &after.replacen(line, fault, 1)
}

#[test]
fn every_alert_fires_when_it_must_and_not_before() {
    judge(RULES).unwrap_or_else(|said| panic!("{said}"));
    for (alert, _) in alerts() {
        let fires = TESTS.split("alertname: ").any(|case| {
            case.starts_with(&format!("{alert}\n"))
                && case.lines().nth(1) == Some("        exp_alerts:")
        });
        assert!(fires, "no test in which {alert} fires");
    }
}

/// The control: a limit that is twice as high or half as high, and a wait that is longer or shorter.
#[test]
fn an_alert_with_another_limit_or_wait_is_caught() {
    let mut n_faults = 0;
    for (alert, lines) in alerts() {
        for line in lines {
            let faults = if line.contains("expr: ") {
                changed_limit(line)
            } else if line.contains("for: ") {
                changed_wait(line)
            } else {
                continue;
            };
            for fault in faults {
                n_faults += 1;
                let verdict = judge(&seeded(alert, line, &fault));
                assert!(verdict.is_err(), "{alert} with {fault} passes");
            }
        }
    }
    assert!(n_faults >= 36, "{n_faults} faults were seeded");
}

/// `> L` with other limits; what compares with 0 never fires instead.
fn changed_limit(line: &str) -> Vec<String> {
    let (before, limit) = line.rsplit_once(' ').expect("it ends with its limit");
    let limit: f64 = limit.parse().expect("a number");
    match limit {
        0.0 => vec![format!("{before} 1000")],
        limit => [limit * 2.0, limit / 2.0]
            .map(|other| format!("{before} {other}"))
            .to_vec(),
    }
}

fn changed_wait(line: &str) -> Vec<String> {
    let (before, wait) = line.rsplit_once(' ').expect("it ends with its wait");
    let (number, unit) = wait.split_at(wait.len() - 1);
    let seconds = number.parse::<u64>().expect("a number") * if unit == "m" { 60 } else { 1 };
    [seconds + 15, seconds - 15]
        .map(|other| format!("{before} {other}s"))
        .to_vec()
}

#[test]
fn the_configuration_of_prometheus_is_valid_with_the_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
    promtool(&["check", "config", "prometheus.yml"], &folder)
        .unwrap_or_else(|said| panic!("{said}"));
}
