//! Prometheus and promtool with the configuration and rules that users are given.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::haproxy::free_addr;
use crate::binary::Tidemark;
use crate::http::once;
use crate::payload::POINT;

/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);
const NEEDED: &str = "this test needs prometheus and promtool: apt-get install prometheus";

fn deployed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus")
}

/// The output of `promtool`, with `input` on its stdin.
fn promtool(arguments: &[&str], folder: &Path, input: &[u8]) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(NEEDED);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// A copy of the rules and their tests with `to` in the place of `from`.
fn seeded(from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for file in ["alerts.yml", "alerts_test.yml"] {
        let text = fs::read_to_string(deployed().join(file)).expect("it is there");
        let text = match file {
            "alerts.yml" => {
                assert!(text.contains(from), "{from} is not in the rules");
                text.replace(from, to)
            }
            _ => text,
        };
        fs::write(folder.path().join(file), text).expect("the folder can be written to");
    }
    folder
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    let rules = fs::read_to_string(deployed().join("alerts.yml")).expect("it is there");
    let tests = fs::read_to_string(deployed().join("alerts_test.yml")).expect("it is there");
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert_eq!(alerts.len(), 9);
    for alert in alerts {
        let case = format!("alertname: {alert}\n");
        let cases = tests.split(&case).skip(1);
        let silent = |case: &&str| case.trim_start().starts_with("exp_alerts: []");
        let (silent, firing): (Vec<&str>, Vec<&str>) = cases.partition(silent);
        assert!(!silent.is_empty() && !firing.is_empty(), "{alert}");
    }
    let checked = promtool(&["check", "config", "prometheus.yml"], &deployed(), b"");
    assert!(checked.status.success(), "{checked:?}");
    let tested = promtool(&["test", "rules", "alerts_test.yml"], &deployed(), b"");
    assert!(tested.status.success(), "{tested:?}");
}

/// The control: each of these rules fires too late, too early or never.
#[test]
fn a_wrong_rule_is_caught() {
    for (right, wrong) in [
        ("> 0.10", "> 0.20"),
        ("> 0.05", "> 0.03"),
        ("> 10", "> 40"),
        ("> 3\n", "> 0.1\n"),
        ("> 0.9\n", "> 0.99\n"),
        ("for: 45s", "for: 15s"),
        (
            "tidemark_store_failures_total",
            "tidemark_store_failure_total",
        ),
    ] {
        let folder = seeded(right, wrong);
        let tested = promtool(&["test", "rules", "alerts_test.yml"], folder.path(), b"");
        assert!(!tested.status.success(), "{wrong} is not caught");
    }
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &["--health-addr", "127.0.0.1:0"]);
    let fit = br#"{"timestamps":[1,2,3],"values":[1,2,4]}"#;
    for (path, body) in [("/fit/a", &fit[..]), ("/predict/a", POINT)] {
        let reply = once(server.addr, "POST", path, body).expect("it listens");
        assert_eq!(reply.status, 200);
    }
    for addr in [server.addr, server.health()] {
        let told = once(addr, "GET", "/metrics", b"").expect("it listens");
        assert_eq!(told.status, 200);
        let checked = promtool(&["check", "metrics"], folder.path(), told.text().as_bytes());
        assert!(checked.status.success(), "{checked:?}");
        // The control: a name that breaks the conventions.
        let odd = told
            .text()
            .replace("tidemark_refusals_total", "tidemark_refusals");
        let checked = promtool(&["check", "metrics"], folder.path(), odd.as_bytes());
        assert!(!checked.status.success(), "{checked:?}");
    }
    server.stop();
}

/// A running Prometheus that scrapes one server.
struct Prometheus {
    child: Child,
    addr: SocketAddr,
}

impl Prometheus {
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let addr = free_addr();
        let mut config =
            fs::read_to_string(deployed().join("prometheus.yml")).expect("it is there");
        let rules = deployed().join("alerts.yml").display().to_string();
        let target = target.to_string();
        for (from, to) in [
            ("tidemark:8000", target.as_str()),
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("evaluation_interval: 15s", "evaluation_interval: 1s"),
            ("- alerts.yml", &format!("- {rules}")),
        ] {
            assert!(config.contains(from), "{from} is not in the configuration");
            config = config.replace(from, to);
        }
        let path = folder.join("prometheus.yml");
        fs::write(&path, config).expect("the folder can be written to");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={addr}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .spawn()
            .expect(NEEDED);
        Self { child, addr }
    }

    /// A reply of its API. HTTP/1.0: what it sends is in one piece, and ends with the connection.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.addr).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let (_, body) = reply.split_once("\r\n\r\n")?;
        let body: Value = serde_json::from_str(body).ok()?;
        (body["status"] == "success").then(|| body["data"].clone())
    }

    /// The value of an expression that has one.
    fn value(&self, expression: &str) -> Option<f64> {
        let data = self.get(&format!("/api/v1/query?query={expression}"))?;
        data["result"][0]["value"][1].as_str()?.parse().ok()
    }

    fn wait_for<T>(&mut self, what: &str, found: impl Fn(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert_eq!(ended, None, "prometheus ended");
            assert!(started.elapsed() < HANG, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_scrapes_a_server_and_watches_its_rules() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(&folder.path().join("data"), &[]);
    let mut prometheus = Prometheus::start(folder.path(), server.addr);
    let is_up = |it: &Prometheus| it.value("up").filter(|up| *up == 1.0);
    prometheus.wait_for("it is not scraped", is_up);
    let ready = prometheus.wait_for("it is not ready", |it| it.value("tidemark_ready"));
    assert_eq!(ready, 1.0);
    let rules = prometheus.wait_for("the rules are not watched", |it| {
        let data = it.get("/api/v1/rules")?;
        let rules = data["groups"][0]["rules"].as_array()?.clone();
        let watched = rules.iter().all(|rule| rule["health"] == "ok");
        (watched && !rules.is_empty()).then_some(rules)
    });
    assert_eq!(rules.len(), 9);
    assert!(
        rules.iter().all(|rule| rule["state"] == "inactive"),
        "{rules:?}"
    );
    // The control: without the server, the scrape fails, and one of the rules begins to count.
    server.stop();
    let is_down = |it: &Prometheus| it.value("up").filter(|up| *up == 0.0);
    prometheus.wait_for("nobody notices", is_down);
    prometheus.wait_for("no rule notices", |it| {
        let data = it.get("/api/v1/rules")?;
        let rules = data["groups"][0]["rules"].as_array()?.clone();
        let down = rules.iter().find(|rule| rule["name"] == "TidemarkDown")?;
        (down["state"] == "pending").then_some(())
    });
}
