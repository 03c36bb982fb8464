//! `tidemark-bench report`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::CommandError;
use super::args::usage;
use crate::console;
use crate::report::export::Picture;
use crate::report::folder::Saved;
use crate::report::{self};

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench report results/run                                     report.html in the run's folder, written anew
  tidemark-bench report results/run --format markdown                   summary.md, for a pull request
  tidemark-bench report results/run --format markdown --out -           the same to standard output
  tidemark-bench report results/run --format png                        a picture a chart, in the folder charts
  tidemark-bench report results/run --format svg --charts slides        vector pictures, in another folder
  tidemark-bench report results/sweep                                   the page of a sweep or heatmap

Everything comes from what was saved: a run's figures are computed again from its responses, so that a run that was
killed has a report too.";

/// Flags of `tidemark-bench report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of a run, a sweep or a heatmap
    dir: PathBuf,

    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Html)]
    format: Format,

    /// File for the page or the summary, - for standard output [default: report.html or summary.md in
    /// the
    /// folder]
    #[arg(long, value_name = "FILE", conflicts_with = "charts")]
    out: Option<PathBuf>,

    /// Folder for the pictures of --format svg and png, made if it is not there [default: charts in the
    /// run's folder]
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
}

/// What a report can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A page that needs nothing else, with all charts and tables
    Html,
    /// A summary for a pull request
    Markdown,
    /// A vector picture a chart
    Svg,
    /// A bitmap a chart
    Png,
}

/// Where it goes.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Text(Text, PathBuf),
    Pictures(Picture, PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Page,
    Summary,
}

impl ReportArgs {
    fn target(&self) -> Result<Target, clap::Error> {
        let file = |name: &str| self.out.clone().unwrap_or_else(|| self.dir.join(name));
        let folder = || {
            self.charts
                .clone()
                .unwrap_or_else(|| self.dir.join("charts"))
        };
        let text = |text, name| match &self.charts {
            Some(_) => Err(usage("--charts is for --format svg and png")),
            None => Ok(Target::Text(text, file(name))),
        };
        let pictures = |picture| match &self.out {
            Some(_) => Err(usage(
                "--out is for one file, and --format svg and png write one a chart: use --charts DIR",
            )),
            None => Ok(Target::Pictures(picture, folder())),
        };
        match self.format {
            Format::Html => text(Text::Page, "report.html"),
            Format::Markdown => text(Text::Summary, "summary.md"),
            Format::Svg => pictures(Picture::Svg),
            Format::Png => pictures(Picture::Png),
        }
    }
}

pub(super) fn run(args: &ReportArgs) -> Result<ExitCode, CommandError> {
    let target = args.target()?;
    let saved = Saved::read(&args.dir)?;
    if let Saved::Run(_, notes) = &saved {
        for note in notes {
            console::note(format_args!("note: {note}"));
        }
    }
    match target {
        Target::Text(text, out) => {
            let content = match (text, &saved) {
                (Text::Page, saved) => saved.page(),
                (Text::Summary, Saved::Run(run, _)) => report::run::summary(run),
                (Text::Summary, _) => {
                    return Err(usage("--format markdown is for runs").into());
                }
            };
            if out.as_os_str() == "-" {
                console::out(content.trim_end());
            } else {
                report::put(&out, content.as_bytes())?;
                console::out(format_args!("report: {}", out.display()));
            }
        }
        Target::Pictures(picture, dir) => {
            for path in saved.write_charts(&dir, picture)? {
                console::out(path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn target(flags: &[&str]) -> Result<Target, clap::Error> {
        let line = ["tidemark-bench", "report", "run"].iter().chain(flags);
        match Cli::try_parse_from(line)?.command {
            Command::Report(args) => args.target(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_format_has_its_place_in_the_runs_folder() {
        let text = |text, path: &str| Target::Text(text, path.into());
        let pictures = |picture, path: &str| Target::Pictures(picture, path.into());
        for (flags, expected) in [
            (&[][..], text(Text::Page, "run/report.html")),
            (
                &["--format=markdown"],
                text(Text::Summary, "run/summary.md"),
            ),
            (&["--format=markdown", "--out=-"], text(Text::Summary, "-")),
            (&["--out=x/y.html"], text(Text::Page, "x/y.html")),
            (&["--format=svg"], pictures(Picture::Svg, "run/charts")),
            (&["--format=png", "--charts=x"], pictures(Picture::Png, "x")),
        ] {
            assert_eq!(target(flags).unwrap(), expected, "{flags:?}");
        }
    }

    #[test]
    fn flags_of_another_format_are_usage_errors() {
        for flags in [
            &["--format=png", "--out=x.png"][..],
            &["--format=svg", "--out=-"],
            &["--charts=x"],
            &["--format=markdown", "--charts=x"],
            &["--format=png", "--out=x", "--charts=y"],
            &["--format=pdf"],
        ] {
            assert_eq!(target(flags).unwrap_err().exit_code(), 2, "{flags:?}");
        }
    }
}
