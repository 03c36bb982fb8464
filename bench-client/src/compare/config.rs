//! In what two runs were asked for different things.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::results::config::RunConfig;

/// A setting that two runs do not share.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Different {
    /// Its place in `run_config.json`, such as `load.pace.clients`.
    pub setting: String,
    /// A's value; none if it has no such setting.
    pub a: Option<Value>,
    /// B's.
    pub b: Option<Value>,
}

/// What is of a run rather than asked of it, and what the hash of a file tells better than its path.
const OF_A_RUN: [&str; 6] = [
    "run_id",
    "name",
    "started_at",
    "command",
    "workload.payloads.path",
    "load.pace.arrivals.path",
];

impl Different {
    /// Whether figures of such runs differ for another reason than their servers: the workload or the
    /// load is another one.
    #[must_use]
    pub fn is_unlike(&self) -> bool {
        self.setting.starts_with("workload") || self.setting.starts_with("load")
    }
}

/// All settings that differ, in the order of their names.
#[must_use]
pub fn differences(a: &RunConfig, b: &RunConfig) -> Vec<Different> {
    // A configuration is plain data, which JSON can always hold.
    let json = |config| serde_json::to_value(config).unwrap_or_default();
    let mut found = Vec::new();
    compare(String::new(), Some(&json(a)), Some(&json(b)), &mut found);
    found.retain(|different| {
        let setting = different.setting.as_str();
        !OF_A_RUN.contains(&setting) && !setting.starts_with("merged_from")
    });
    found
}

fn compare(setting: String, a: Option<&Value>, b: Option<&Value>, found: &mut Vec<Different>) {
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (a, b) {
        let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let inner = if setting.is_empty() {
                key.clone()
            } else {
                format!("{setting}.{key}")
            };
            compare(inner, a.get(key), b.get(key), found);
        }
    } else if a != b {
        let (a, b) = (a.cloned(), b.cloned());
        found.push(Different { setting, a, b });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::config::{Bound, Pace};
    use crate::results::fixture;

    #[test]
    fn only_what_was_asked_for_differs() {
        let a = fixture::config(Bound::Requests { n: 5 });
        let mut b = a.clone();
        b.run_id = "another".to_owned();
        b.name = Some("another".to_owned());
        b.command = Vec::new();
        assert_eq!(differences(&a, &b), []);

        b.base_url = "http://127.0.0.1:9000".to_owned();
        b.load.pace = Pace::Closed { clients: 9 };
        b.workload.batch = 99;
        let found = differences(&a, &b);
        let settings: Vec<_> = found
            .iter()
            .map(|d| (d.setting.as_str(), d.is_unlike()))
            .collect();
        let wanted = [
            ("base_url", false),
            ("load.pace.clients", true),
            ("workload.batch", true),
        ];
        assert_eq!(settings, wanted);
        assert_eq!(found[1].b, Some(9.into()));
    }
}
