//! `summary.md`: a run for a pull request, the verdict on its first line, a compact table, the rest
//! folded.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::figures::{count, duration, exact, nanos, percent, quantile_name, rate};
use super::run::{bound, class_name, command_line, op_name, pace, remarks, title, verdict};
use crate::load::response::OutcomeClass;
use crate::results::summary::RunData;
use crate::tally::stats::{LatencyStats, RunStats};

/// Quantiles of the compact table.
const SHOWN: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// Messages longer than this are cut: the file is a summary.
const LONGEST: usize = 160;

/// The whole file.
pub(super) fn summary(run: &RunData) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, run);
    out
}

fn write(out: &mut String, run: &RunData) -> std::fmt::Result {
    let (config, stats) = (&run.config, &run.stats);
    let verdict = verdict(run);
    let sign = match verdict.kind {
        "good" => "✅",
        "caution" => "⚠️",
        _ => "❌",
    };
    writeln!(out, "### {}\n", text(title(run)))?;
    writeln!(
        out,
        "{sign} **{}** · {}, {}\n",
        verdict.text,
        pace(&config.load.pace),
        bound(&config.load)
    )?;
    for remark in remarks(run) {
        writeln!(out, "> ⚠️ {}\n", text(&remark))?;
    }
    writeln!(
        out,
        "| completed | goodput | without 2xx | p50 | p95 | p99 | max |"
    )?;
    writeln!(out, "|---:|---:|---:|---:|---:|---:|---:|")?;
    let last = &stats.ok.last;
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        rate(stats.completed_rps),
        rate(stats.goodput_rps),
        percent(stats.error_rate()),
        said(last, 0.5),
        said(last, 0.95),
        said(last, 0.99),
        nanos(last.max_ns)
    )?;
    writeln!(
        out,
        "Latency of 2xx replies from the intended start, with 95 % intervals; rates over the wall clock \
         ({}).\n",
        nanos(Some(stats.wall_ns))
    )?;
    writeln!(
        out,
        "<details><summary>Latencies, outcomes, configuration</summary>\n"
    )?;
    latencies(out, stats)?;
    outcomes(out, stats)?;
    errors(out, stats)?;
    configuration(out, run)?;
    writeln!(out, "</details>")
}

/// A quantile with its interval.
fn said(latency: &LatencyStats, q: f64) -> String {
    match latency.at(q) {
        None => "–".to_owned(),
        Some(quantile) if !quantile.enough => "too few".to_owned(),
        Some(quantile) => match (quantile.low_ns, quantile.high_ns) {
            (Some(low), Some(high)) => format!(
                "{} ({} to {})",
                duration(quantile.value_ns as f64),
                duration(low as f64),
                duration(high as f64)
            ),
            _ => duration(quantile.value_ns as f64),
        },
    }
}

fn latencies(out: &mut String, stats: &RunStats) -> std::fmt::Result {
    let ok = &stats.ok;
    let metrics = [
        ("last byte", &ok.last),
        ("first byte", &ok.first),
        ("service", &ok.service),
        ("per point", &ok.per_point),
        ("send lag", &ok.send_lag),
        ("server", &ok.server),
    ];
    let names = SHOWN.map(quantile_name).join(" | ");
    writeln!(out, "| latency | count | mean | {names} | max |")?;
    writeln!(out, "|:--|--:|--:|{}--:|", "--:|".repeat(SHOWN.len()))?;
    let of_op = |(op, of_op)| (op_name(op), of_op);
    let ops = stats
        .by_op
        .iter()
        .map(|(op, stats)| of_op((*op, &stats.last)));
    let classes = stats.by_outcome.iter();
    let classes = classes
        .filter(|(class, _)| **class != OutcomeClass::Ok)
        .map(|(class, latency)| (class_name(*class), latency));
    for (name, latency) in metrics.into_iter().chain(ops).chain(classes) {
        if latency.count > 0 {
            let mean = latency.mean_ns.map_or_else(String::new, duration);
            let quantiles = SHOWN.map(|q| said(latency, q)).join(" | ");
            let (n, max) = (count(latency.count), nanos(latency.max_ns));
            writeln!(out, "| {name} | {n} | {mean} | {quantiles} | {max} |")?;
        }
    }
    writeln!(out)
}

fn outcomes(out: &mut String, stats: &RunStats) -> std::fmt::Result {
    let names = OutcomeClass::ALL.map(class_name).join(" | ");
    writeln!(out, "| request | requests | {names} |")?;
    writeln!(out, "|:--|--:|{}", "--:|".repeat(OutcomeClass::ALL.len()))?;
    for (op, of_op) in &stats.by_op {
        let of = |class| count(of_op.outcomes.get(&class).copied().unwrap_or_default());
        let cells = OutcomeClass::ALL.map(of).join(" | ");
        writeln!(
            out,
            "| {} | {} | {cells} |",
            op_name(*op),
            count(of_op.requests)
        )?;
    }
    writeln!(out)
}

fn errors(out: &mut String, stats: &RunStats) -> std::fmt::Result {
    if stats.errors.is_empty() {
        return Ok(());
    }
    writeln!(out, "| failures | first | what they say |\n|--:|--:|:--|")?;
    for error in &stats.errors {
        let (n, first) = (count(error.count), error.first_index);
        writeln!(out, "| {n} | {first} | {} |", text(&cut(&error.message)))?;
    }
    if stats.other_errors > 0 {
        writeln!(out, "| {} | | of other kinds |", count(stats.other_errors))?;
    }
    writeln!(out)
}

fn configuration(out: &mut String, run: &RunData) -> std::fmt::Result {
    let config = &run.config;
    let (client, host) = (&config.client, &config.host);
    writeln!(
        out,
        "{} against {}, seed {}, timeout {}, {} {} ({} build), {}, {}, {} CPUs, {}.\n",
        text(&config.run_id),
        text(&config.base_url),
        config.seed,
        exact(config.load.timeout_ns as f64),
        client.name,
        text(&client.version),
        text(&client.profile),
        text(&host.os),
        text(&host.arch),
        host.cpus,
        config.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    )?;
    let command = command_line(&config.command);
    // The fence is longer than any run of backticks within.
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    writeln!(out, "{fence}sh\n{command}\n{fence}\n")
}

fn cut(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &message[..end])),
        None => Cow::Borrowed(message),
    }
}

/// What others said, as nothing but text: in one line, every sign that Markdown or HTML would take
/// for its own escaped.
fn text(said: &str) -> String {
    let mut out = String::with_capacity(said.len());
    for c in said.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A mention would call people, a reference would link an issue.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            // Half of an address, which would become a link.
            '/' if out.ends_with('/') => out.push_str("&#47;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::sample;

    #[test]
    fn the_verdict_stands_before_the_table_and_the_rest_is_folded() {
        let summary = summary(&sample::run());
        let at = |part: &str| {
            summary
                .find(part)
                .unwrap_or_else(|| panic!("{part}: {summary}"))
        };
        let verdict = at(
            "❌ **78 of 6,000 requests without a 2xx reply (1.3 %)** · open loop, constant 200/s, 30 s",
        );
        let order = [
            at("### stall at half capacity"),
            verdict,
            at("| completed |"),
            at("<details>"),
            at("| latency |"),
            at("</details>"),
        ];
        assert!(order.is_sorted(), "{order:?}");
        assert!(
            summary.contains("```sh\ntidemark-bench run --rate 200/s"),
            "{summary}"
        );
    }

    #[test]
    fn what_the_server_said_cannot_leave_its_cell() {
        let mut run = sample::run();
        run.stats.errors[0].message = "a|b`c`\n|x|<img src=x>@team #1 ![i](u) \\|".into();
        let summary = summary(&run);
        let row = summary.lines().find(|line| line.contains("a\\|b")).unwrap();
        assert!(
            row.ends_with(r"| a\|b\`c\` \|x\|&lt;img src=x&gt;&#64;team &#35;1 \!\[i\](u) \\\| |"),
            "{row}"
        );
        // The sample's own message has both signs as well.
        assert!(summary.contains(r"Internal \`error\`"), "{summary}");
    }

    #[test]
    fn every_row_has_the_cells_of_its_head() {
        for run in [
            sample::run(),
            sample::of(0),
            sample::of(1),
            sample::only_failures(20),
        ] {
            let summary = summary(&run);
            let cells = |line: &str| line.replace("\\|", "").matches('|').count();
            let mut head = 0;
            for line in summary.lines() {
                if !line.starts_with('|') {
                    head = 0;
                } else if head == 0 {
                    head = cells(line);
                } else {
                    assert_eq!(cells(line), head, "{line}");
                }
            }
        }
    }

    #[test]
    fn few_replies_have_no_p99() {
        let summary = summary(&sample::of(20));
        let row = summary.lines().nth(6).unwrap();
        assert!(row.contains("| too few | too few |"), "{summary}");
    }

    #[test]
    fn a_command_with_backticks_stays_in_its_fence() {
        let mut run = sample::run();
        run.config.command.push("```".into());
        assert!(summary(&run).contains("\n````sh\n"));
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(cut(&"µ".repeat(500)).chars().count(), LONGEST + 1);
    }
}
