//! What sweeps and heatmaps have in common: runs one after the other that differ in a few settings.

use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::CommandError;
use crate::console;
use crate::cost::CostModel;
use crate::interrupt::{EXIT_INTERRUPTED, Stop};
use crate::live::Target;
use crate::load::run::RunSettings;
use crate::load::{self};
use crate::report::folder;
use crate::report::{self};
use crate::results::config::{LoadSpec, WorkloadSpec};
use crate::results::summary::{Headline, RunData};

/// The settings that all runs share.
pub(super) struct Runs {
    pub(super) base: RunSettings,
    pub(super) cost: Option<CostModel>,
    pub(super) runtime: Runtime,
    pub(super) stop: Stop,
}

/// What one of the runs has of its own.
pub(super) struct Own<'a> {
    /// What the run is called.
    pub(super) name: String,
    /// The name of its folder, which keeps its series apart from those of the other runs.
    pub(super) folder: &'a str,
    pub(super) workload: &'a WorkloadSpec,
    pub(super) load: &'a LoadSpec,
}

impl Runs {
    /// Makes one of the runs, with a report as if it had been made alone.
    pub(super) fn run(&self, own: Own<'_>, out: &Path) -> Result<RunData, CommandError> {
        let base = &self.base;
        let settings = RunSettings {
            base_url: base.base_url.clone(),
            run_id: format!("{}_{}", base.run_id, own.folder),
            name: Some(own.name),
            command: base.command.clone(),
            seed: base.seed,
            workload: own.workload.clone(),
            load: own.load.clone(),
            out: out.to_owned(),
            hooks: hooks(self.cost.as_ref()),
            target: Target::stderr(),
            shows: base.shows.clone(),
            ledger: None,
        };
        let data = load::run::run(settings, &self.runtime, &self.stop)?;
        report::run::write(out, &data)?;
        Ok(data)
    }
}

/// Writes the report of all the runs together.
pub(super) fn report(dir: &Path) -> Result<(), CommandError> {
    let page = folder::write(dir)?;
    console::out(format_args!("report: {}", page.display()));
    Ok(())
}

/// The hooks of a run.
pub(super) fn hooks(cost: Option<&CostModel>) -> Vec<Box<dyn load::hooks::Hook>> {
    let cost = cost.cloned().map(|model| Box::new(model) as _);
    cost.into_iter().collect()
}

/// What is about to be measured, with the seed that makes it again.
pub(super) fn begun(kind: &str, run_id: &str, base_url: &str, seed: u64) -> String {
    format!("{kind} {run_id} against {base_url} (seed {seed})")
}

/// The code for several runs, by the rule for one.
pub(super) fn exit_code<'a>(
    interrupted: bool,
    runs: impl IntoIterator<Item = &'a Headline>,
) -> ExitCode {
    if interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if runs.into_iter().all(|run| run.ok == run.requests) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The heads of [`columns`].
pub(super) const COLUMNS: &str = "  requests    not ok    good/s    p50 ms    p95 ms    p99 ms";

/// A run's figures in columns of ten.
pub(super) fn columns(run: &Headline) -> String {
    let missing = if run.ok > 0 { "too few" } else { "—" };
    let ms = |ms: Option<f64>| ms.map_or(missing.to_owned(), |ms| format!("{ms:.2}"));
    let rate = run.goodput_rps;
    format!(
        "{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        run.requests,
        run.requests - run.ok,
        rate.map_or("—".to_owned(), |rate| format!("{rate:.1}")),
        ms(run.p50_ms),
        ms(run.p95_ms),
        ms(run.p99_ms),
    )
}

/// What stands behind a run's figures.
pub(super) fn mark(interrupted: bool, not_valid: &[String]) -> &'static str {
    match (interrupted, not_valid.is_empty()) {
        (true, _) => "  cut short",
        (false, false) => "  not valid",
        (false, true) => "",
    }
}

/// What `mark` means by runs that are not valid, each reason once with the first run that has it.
pub(super) fn explain<'a>(runs: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Vec<String> {
    let mut said: Vec<(&str, &str)> = Vec::new();
    for (folder, reasons) in runs {
        for reason in reasons {
            if said.iter().all(|(_, other)| other != reason) {
                said.push((folder, reason));
            }
        }
    }
    let line = |(folder, reason): &(&str, &str)| format!("not valid: {folder}: {reason}");
    said.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_under_their_heads() {
        let run = Headline {
            requests: 1_000,
            ok: 998,
            goodput_rps: Some(249.96),
            p50_ms: Some(1.234),
            p95_ms: Some(22.0),
            ..Headline::default()
        };
        let row = "      1000         2     250.0      1.23     22.00   too few";
        assert_eq!(columns(&run), row);
        assert_eq!(COLUMNS.len(), row.len());
        assert!(columns(&Headline::default()).ends_with('—'));
    }

    #[test]
    fn what_speaks_against_runs_is_said_once() {
        let busy = ["the client was busy".to_owned()];
        let runs = [("a", &[][..]), ("b", &busy[..]), ("c", &busy[..])];
        assert_eq!(explain(runs), ["not valid: b: the client was busy"]);
        assert_eq!(mark(false, &busy), "  not valid");
        assert_eq!(mark(true, &busy), "  cut short");
        assert_eq!(mark(false, &[]), "");
    }

    #[test]
    fn one_reply_that_was_not_2xx_is_a_failure() {
        let run = |ok| Headline {
            requests: 10,
            ok,
            ..Headline::default()
        };
        let code = |interrupted, runs: &[Headline]| format!("{:?}", exit_code(interrupted, runs));
        let is = |code: ExitCode| format!("{code:?}");
        assert_eq!(code(false, &[run(10), run(10)]), is(ExitCode::SUCCESS));
        assert_eq!(code(false, &[run(10), run(9)]), is(ExitCode::FAILURE));
        assert_eq!(code(true, &[run(9)]), is(ExitCode::from(130)));
    }
}
