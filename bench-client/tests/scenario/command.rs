//! The command, the stub, and what a scenario leaves.

#[path = "../common/mod.rs"]
mod common;

use serde_json::Value;

pub(crate) use self::common::{Stub, start};

/// What a scenario left.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) report: Value,
}

/// Plays the short form of a scenario.
pub(crate) fn play(name: &str, flags: &[&str]) -> Played {
    let arguments = [&["scenario", name, "--short", "--seed", "7"], flags].concat();
    let played = start(&arguments).wait();
    let report = played.json(&format!("{name}/scenario.json"));
    crate::schema::assert_valid("scenario.schema.json", &report, "/verdict");
    Played {
        code: played.code,
        stdout: played.stdout,
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
