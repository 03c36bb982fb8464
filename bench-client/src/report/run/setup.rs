//! What was asked for, of which server, by which client, on which machine.

use maud::{Markup, html};

use super::super::figures::{UNKNOWN, bytes, count, duration, exact, nanos, percent};
use super::words;
use crate::results::config::{Pace, RunConfig};
use crate::results::summary::RunData;
use crate::tally::littles_law::LittlesLaw;

/// A name and its value.
type Item = (&'static str, String);

pub(super) fn section(run: &RunData) -> Markup {
    html! {
        section {
            h2 { "Configuration" }
            (list(&asked(&run.config)))
            h3 { "Run it again" }
            pre.command { code { (words::command_line(&run.config.command)) } }
            h3 { "Machine and client" }
            (list(&used(run)))
        }
    }
}

fn list(items: &[Item]) -> Markup {
    html! {
        dl.config { @for (name, value) in items { div { dt { (name) } dd { (value) } } } }
    }
}

fn asked(config: &RunConfig) -> Vec<Item> {
    let (workload, load) = (&config.workload, &config.load);
    let mut items = vec![
        ("Server", config.base_url.clone()),
        ("Load", words::pace(&load.pace)),
        ("Until", words::bound(load)),
        ("Requests", words::mix(workload)),
        ("Series", count(workload.series.into())),
        ("Points in a fit", count(workload.points_per_fit.into())),
        ("Points in a batch", count(workload.batch.into())),
        ("Payloads", payloads(config)),
        ("Seed", config.seed.to_string()),
        ("Timeout", exact(load.timeout_ns as f64)),
        ("Good within", exact(load.good_within_ns as f64)),
        ("Sending threads", load.threads.to_string()),
    ];
    if let Pace::Open {
        connections,
        max_connections,
        ..
    } = &load.pace
    {
        let value = format!(
            "{} opened before, {} at most",
            count((*connections).into()),
            count((*max_connections).into())
        );
        items.push(("Connections", value));
    }
    let series = if workload.set_up {
        "series fitted, "
    } else {
        ""
    };
    items.push((
        "Before the run",
        format!("{series}{} warm-up requests", count(load.warm_up.into())),
    ));
    if !config.merged_from.is_empty() {
        let runs = config
            .merged_from
            .iter()
            .map(|run| format!("{} ({} requests)", run.run_id, count(run.requests)));
        items.push(("Merged from", runs.collect::<Vec<_>>().join(", ")));
    }
    if load.low_memory {
        items.push(("Memory", "responses straight to disk".to_owned()));
    }
    items
}

fn payloads(config: &RunConfig) -> String {
    match &config.workload.payloads {
        // Enough of the hash to tell two files apart; the whole is in run_config.json.
        Some(file) => {
            let hash: String = file.blake3.chars().take(12).collect();
            format!("{} of {}, BLAKE3 {hash}…", count(file.payloads), file.path)
        }
        None => format!(
            "{} generated from the seed",
            count(config.workload.distinct.into())
        ),
    }
}

fn used(run: &RunData) -> Vec<Item> {
    let (client, host) = (&run.config.client, &run.config.host);
    let mut items = vec![
        (
            "Client",
            format!(
                "{} {} ({} build)",
                client.name, client.version, client.profile
            ),
        ),
        (
            "Client’s machine",
            format!("{}, {}, {} CPUs", host.os, host.arch, host.cpus),
        ),
        ("Run’s length", nanos(Some(run.stats.wall_ns))),
        (
            "Late sends (over 1 ms)",
            format!(
                "{}, {} by the client",
                count(run.stats.late_sends),
                count(run.stats.late_by_client)
            ),
        ),
    ];
    let law = |used| LittlesLaw::of(&run.stats, used);
    if let Some(law) = run.summary.client_use.as_ref().and_then(law) {
        let (in_flight, expected) = (law.in_flight, law.per_s * law.each_s);
        let residual = percent(Some(law.residual()));
        items.push((
            "Little’s law",
            format!("{in_flight:.3} in flight, rate × latency {expected:.3}, {residual} apart"),
        ));
    }
    match &run.summary.client_use {
        Some(used) => items.extend([
            (
                "Client’s processor time",
                format!(
                    "{} ({} of its CPUs)",
                    duration(used.cpu_s * 1e9),
                    percent(used.cpu_share)
                ),
            ),
            ("Of the sending threads’ CPUs", percent(used.senders_share)),
            ("Client’s memory at most", bytes(used.max_rss_bytes)),
            (
                "Connections opened",
                format!(
                    "{}, {} again",
                    count(used.connections),
                    count(used.reconnects)
                ),
            ),
            (
                "Waited for the disk",
                duration(used.waited_for_disk_ns as f64),
            ),
        ]),
        None => items.push(("What the client used", UNKNOWN.to_owned())),
    }
    items
}
