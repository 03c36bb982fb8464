//! The command, the stub, and what a scenario leaves.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

/// The built-in stub; it ends with the test.
pub(crate) struct Stub {
    child: Child,
    pub(crate) url: String,
}

impl Stub {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(cargo_bin!("tidemark-bench"))
            .args(["stub", "--port", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, url }
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a scenario left.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) report: Value,
}

/// Plays the short form of a scenario.
pub(crate) fn play(name: &str, flags: &[&str]) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("made/by/it");
    let output = Command::new(cargo_bin!("tidemark-bench"))
        .args(["scenario", name, "--short", "--seed", "7"])
        .args(flags)
        .arg("--out")
        .arg(&out)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let report = std::fs::read(out.join(name).join("scenario.json"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = report.unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    let report = serde_json::from_slice(&report).unwrap();
    crate::schema::assert_valid("scenario.schema.json", &report, "/verdict");
    Played {
        code: output.status.code(),
        stdout,
        report,
    }
}

impl Played {
    /// The verdict of the check whose rule contains `rule`.
    pub(crate) fn check(&self, rule: &str) -> &str {
        let checks = self.report["checks"].as_array().unwrap();
        let contains = |check: &&Value| check["rule"].as_str().unwrap().contains(rule);
        let found: Vec<_> = checks.iter().filter(contains).collect();
        assert_eq!(found.len(), 1, "{rule}: {checks:#?}");
        found[0]["verdict"].as_str().unwrap()
    }

    pub(crate) fn figure(&self, name: &str) -> f64 {
        let figures = self.report["figures"].as_array().unwrap();
        let found = figures.iter().find(|figure| figure["name"] == name);
        let found = found.unwrap_or_else(|| panic!("{name}: {figures:#?}"));
        found["value"].as_f64().unwrap()
    }

    /// That its code, its text and its file say the same.
    pub(crate) fn assert_verdict(&self, verdict: &str, code: i32) {
        assert_eq!(self.report["verdict"], verdict, "{self:#?}");
        assert_eq!(self.code, Some(code), "{self:#?}");
        let words = match verdict {
            "fail" => "verdict: FAIL",
            "pass" => "verdict: pass",
            _ => "verdict: not measurable",
        };
        assert!(self.stdout.contains(words), "{}", self.stdout);
        assert!(self.stdout.contains("passes when: "), "{}", self.stdout);
    }
}
