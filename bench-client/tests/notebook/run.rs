//! One run of the binary and its results.

#[path = "../common/mod.rs"]
mod common;

use bench_client::notebook::NotebookSummary;
use bench_client::record::CallRecord;

pub(crate) use self::common::{Finished, Running};

/// Runs `tidemark-bench notebook` against `url` to its end.
pub(crate) fn notebook(url: &str, flags: &[&str]) -> Finished {
    start(url, flags).wait()
}

/// `tidemark-bench notebook` against `url`.
pub(crate) fn start(url: &str, flags: &[&str]) -> Running {
    let arguments = [&["notebook", "--base-url", url], flags].concat();
    common::start_with(&arguments, |command| {
        // A proxy of the environment must not be asked; this one would refuse.
        let proxies = ["http_proxy", "HTTP_PROXY", "ALL_PROXY"];
        command.envs(proxies.map(|name| (name, "http://127.0.0.1:1")));
    })
}

/// What a run of the notebook leaves.
pub(crate) trait Results {
    fn summary(&self) -> NotebookSummary;
    fn report(&self) -> String;
    /// Header and rows.
    fn records(&self, file: &str) -> (Vec<String>, Vec<CallRecord>);
}

impl Results for Finished {
    fn summary(&self) -> NotebookSummary {
        serde_json::from_str(&self.read("summary.json")).unwrap()
    }

    fn report(&self) -> String {
        self.read("report.html")
    }

    fn records(&self, file: &str) -> (Vec<String>, Vec<CallRecord>) {
        let text = self.read(file);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        (header, reader.deserialize().map(Result::unwrap).collect())
    }
}
