//! The server's view of a run, a few lines.

use std::fmt::Write;

use super::{bytes, count, rate, share};
use crate::server_side::ServerFigures;

pub(super) fn write(text: &mut String, figures: &ServerFigures) -> std::fmt::Result {
    let ServerFigures {
        sampling,
        processors,
        max_rss_bytes,
        max_fds,
        metrics_url: _,
        in_flight,
        counts,
    } = figures;
    writeln!(text, "\nServer")?;
    let used = [
        processors.map(|used| format!("{used:.2} processors")),
        max_rss_bytes.map(|most| format!("memory up to {}", bytes(most as u64))),
        max_fds.map(|most| format!("up to {} open files", count(most as u64))),
        in_flight.map(|mean| format!("{} requests in flight", rate(mean))),
    ];
    let used: Vec<String> = used.into_iter().flatten().collect();
    if !used.is_empty() {
        writeln!(text, "  {}", used.join(", "))?;
    }
    if let Some(counts) = counts {
        writeln!(text, "  reconciled: {counts}")?;
    }
    let unanswered = match sampling.unanswered {
        0 => String::new(),
        n => format!(", {} without a reply", count(n)),
    };
    writeln!(
        text,
        "  {} looks{unanswered}, at most {:.1} ms each, which took the client {} of a processor",
        count(sampling.samples),
        sampling.longest_ms,
        share(sampling.client_cpu_share)
    )?;
    if let Some(why) = &sampling.broken {
        writeln!(text, "  timeline.jsonl ends early: {why}")?;
    }
    Ok(())
}
