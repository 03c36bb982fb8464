//! Prometheus as a child process, with the configuration that users are given: it scrapes a server, takes the rules, and
//! answers what the dashboard asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::haproxy::free_addr;
use crate::binary::Tidemark;
use crate::dashboard;

const CONFIG: &str = include_str!("../../../../deploy/prometheus/prometheus.yml");
const RULES: &str = include_str!("../../../../deploy/prometheus/alerts.yml");
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

struct Prometheus {
    child: Child,
    addr: SocketAddr,
}

impl Prometheus {
    /// Scrapes `target` every second.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let mut config = CONFIG.to_owned();
        for (from, to) in [
            ("tidemark:8001", target.to_string().as_str()),
            ("_interval: 15s", "_interval: 1s"),
            ("scrape_timeout: 5s", "scrape_timeout: 1s"),
        ] {
            assert!(config.contains(from), "{from} is not in the configuration");
            config = config.replace(from, to);
        }
        let path = folder.join("prometheus.yml");
        std::fs::write(&path, config).expect("the folder can be written to");
        std::fs::write(folder.join("alerts.yml"), RULES).expect("the folder can be written to");
        let addr = free_addr();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={addr}"))
            .args(["--log.level=error"])
            .stdin(Stdio::null())
            .spawn()
            .expect("this test needs prometheus: apt-get install prometheus");
        Self { child, addr }
    }

    /// The `data` of a reply of its API; nothing while it starts.
    fn api(&self, target: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.addr).ok()?;
        // HTTP/1.0: the body ends with the connection.
        write!(stream, "GET /api/v1/{target} HTTP/1.0\r\n\r\n").ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let (_, body) = reply.split_once("\r\n\r\n")?;
        let mut reply: Value = serde_json::from_str(body).ok()?;
        assert_ne!(reply["status"], "error", "{target}: {reply}");
        Some(reply["data"].take())
    }

    /// The values of a query, one a series.
    fn query(&self, expression: &str) -> Option<Vec<f64>> {
        let data = self.api(&format!("query?query={}", escaped(expression)))?;
        let series = data["result"].as_array()?;
        let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
        series.iter().map(value).collect()
    }

    /// Waits until a query has values that `is_fine`.
    fn wait_for(&mut self, expression: &str, is_fine: impl Fn(&[f64]) -> bool) {
        let started = Instant::now();
        loop {
            let values = self.query(expression);
            if values.as_deref().is_some_and(&is_fine) {
                return;
            }
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert_eq!(ended, None, "prometheus ended");
            assert!(started.elapsed() < HANG, "{expression} is {values:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What Grafana makes of an expression before it asks.
fn interpolated(expression: &str) -> String {
    expression
        .replace("$__rate_interval", "30s")
        .replace("$job", "tidemark")
        .replace("$instance", ".*")
}

#[test]
fn prometheus_scrapes_a_server_and_answers_what_the_dashboard_asks() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(
        &folder.path().join("store"),
        &["--health-addr", "127.0.0.1:0"],
    );
    dashboard::work(server.addr);
    let mut prometheus = Prometheus::start(folder.path(), server.health());
    prometheus.wait_for("up", |values| values == [1.0]);
    prometheus.wait_for("count_over_time(tidemark_ready[1m])", |n| {
        n.len() == 1 && n[0] >= 3.0
    });

    let rules = prometheus.api("rules").expect("it is up");
    let rules = rules["groups"][0]["rules"].as_array().expect("one group");
    assert_eq!(rules.len(), RULES.matches("expr:").count());

    let expressions = dashboard::expressions();
    let silent: Vec<&String> = expressions
        .iter()
        .filter(|it| {
            prometheus
                .query(&interpolated(it))
                .is_none_or(|values| values.is_empty())
        })
        // The mark of a restart: there was none.
        .filter(|it| !it.starts_with("changes("))
        .collect();
    assert_eq!(silent, [] as [&String; 0]);
    prometheus.wait_for("count(ALERTS) or vector(0)", |values| values == [0.0]);
    server.stop();
    prometheus.wait_for("ALERTS{alertname=\"TidemarkProbesFail\"}", |values| {
        values == [1.0]
    });
}

/// The control: nothing listens there.
#[test]
fn a_server_that_is_not_there_is_not_up() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut prometheus = Prometheus::start(folder.path(), free_addr());
    prometheus.wait_for("up", |values| values == [0.0]);
    assert_eq!(prometheus.query("tidemark_ready"), Some(Vec::new()));
}
