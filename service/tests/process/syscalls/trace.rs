//! The order of system calls in a trace of strace: was each reply preceded by a sync of its record?
//!
//! For the reply to the fit or update of series s: some `fdatasync` or `fsync` of the journal that succeeded
//! began after the last write of s's record to the journal had ended, and ended before the write
//! of the reply began. strace writes a call's beginning and end in the order in which it stopped
//! the threads there; a call does not run before its beginning is seen and has run when its end
//! is. So what the order of lines shows to be in order was in order.

use std::collections::HashMap;

/// What the trace says about the fit or the update of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// No reply to it was written.
    NoReply(String),
    /// Its record was not written to the journal before the reply.
    NotWritten(String),
    /// Its record was written and not synced before the reply.
    NotSynced(String),
}

/// A system call: the lines at which it began and ended, counted from 0.
#[derive(Debug)]
struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
    began: usize,
    ended: usize,
    succeeded: bool,
}

/// What every series of a traced fit begins with; nothing else in a trace has it.
const MARK: &str = "fit@";
/// Length of their names, so that none is a part of another.
const NAME_BYTES: usize = "fit@000000@".len();

/// The name of the `i`-th traced series.
pub(super) fn name(i: u64) -> String {
    format!("{MARK}{i:06}@")
}

/// The violations among `series`, each of which was fitted or updated once.
pub(super) fn violations(trace: &str, series: &[String]) -> Vec<Violation> {
    let calls = calls(trace);
    let on_journal = |call: &&Call| call.succeeded && call.arguments.contains(".jnl>");
    let syncs: Vec<&Call> = calls
        .iter()
        .filter(on_journal)
        .filter(|call| matches!(call.name, "fdatasync" | "fsync"))
        .collect();
    let writes = calls
        .iter()
        .filter(on_journal)
        .filter(|call| matches!(call.name, "write" | "writev" | "pwrite64"));
    let writes = by_name(writes);
    // The reply to a fit names its series, that to an update repeats the id of its request.
    let told = [r#"\"series_id\":\""#, "x-request-id: fit@"];
    let replies = by_name(calls.iter().filter(|call| {
        call.arguments.contains("HTTP/1.1 200")
            && told.iter().any(|name| call.arguments.contains(name))
    }));
    let judge = |series: &String| {
        let Some(reply) = replies.get(series.as_str()).and_then(|all| all.first()) else {
            return Some(Violation::NoReply(series.clone()));
        };
        let written = writes.get(series.as_str()).into_iter().flatten();
        let Some(record) = written.rev().find(|call| call.ended < reply.began) else {
            return Some(Violation::NotWritten(series.clone()));
        };
        let first = syncs.partition_point(|sync| sync.began <= record.ended);
        let synced = syncs[first..]
            .iter()
            .take_while(|sync| sync.began < reply.began)
            .any(|sync| sync.ended < reply.began);
        (!synced).then(|| Violation::NotSynced(series.clone()))
    };
    series.iter().filter_map(judge).collect()
}

/// The calls by the series that their bytes name, each once a series.
fn by_name<'a>(calls: impl Iterator<Item = &'a Call<'a>>) -> HashMap<&'a str, Vec<&'a Call<'a>>> {
    let mut named: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        for (at, _) in call.arguments.match_indices(MARK) {
            if let Some(name) = call.arguments.get(at..at + NAME_BYTES) {
                let calls = named.entry(name).or_default();
                if calls.last().is_none_or(|last| last.began != call.began) {
                    calls.push(call);
                }
            }
        }
    }
    named
}

/// The calls of a trace of `strace -f -y`, by their beginning.
fn calls(trace: &str) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for (line_idx, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if rest.starts_with("<...") {
            if let Some(call_idx) = unfinished.remove(thread) {
                let call: &mut Call = &mut calls[call_idx];
                call.ended = line_idx;
                call.succeeded = succeeded(rest);
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else {
            continue;
        };
        let is_whole = !arguments.ends_with("<unfinished ...>");
        if !is_whole {
            unfinished.insert(thread, calls.len());
        }
        calls.push(Call {
            name,
            arguments,
            began: line_idx,
            ended: if is_whole { line_idx } else { usize::MAX },
            succeeded: is_whole && succeeded(rest),
        });
    }
    calls
}

/// Whether the line ends in a result that is no error.
fn succeeded(line: &str) -> bool {
    line.rsplit_once(" = ")
        .is_some_and(|(_, result)| !result.starts_with('-') && !result.starts_with('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = r#"7 write(17</d/0.jnl>, "\1fit@000001@\0TVER", 99) = 99"#;
    const SYNC: &str = "7 fdatasync(17</d/0.jnl>) = 0";
    const REPLY: &str = r#"9 sendto(22<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"series_id\":\"fit@000001@\",", 99) = 99"#;

    fn judged(lines: &[&str]) -> Vec<Violation> {
        violations(&lines.join("\n"), &[name(1)])
    }

    #[test]
    fn the_right_order_passes() {
        assert_eq!(judged(&[WRITE, SYNC, REPLY]), []);
        let begun = r#"7 write(17</d/0.jnl>, "\1fit@000001@\0TVER", 99 <unfinished ...>"#;
        let lines = [
            begun,
            "8 fdatasync(17</d/0.jnl>) = 0",
            "7 <... write resumed>) = 99",
            "7 fdatasync(17</d/0.jnl> <unfinished ...>",
            "8 write(3<pipe>, \"x\", 1) = 1",
            "7 <... fdatasync resumed>) = 0",
            REPLY,
        ];
        assert_eq!(judged(&lines), []);
    }

    #[test]
    fn every_wrong_order_is_named() {
        let not_synced = [Violation::NotSynced(name(1))];
        let failed = "7 fdatasync(17</d/0.jnl>) = -1 EIO (Input/output error)";
        let elsewhere = "7 fdatasync(17</d/tables/4>) = 0";
        let begun = "7 fdatasync(17</d/0.jnl> <unfinished ...>";
        let resumed = "7 <... fdatasync resumed>) = 0";
        assert_eq!(judged(&[WRITE, REPLY]), not_synced);
        assert_eq!(judged(&[WRITE, REPLY, SYNC]), not_synced);
        assert_eq!(judged(&[SYNC, WRITE, REPLY]), not_synced);
        assert_eq!(judged(&[WRITE, failed, REPLY]), not_synced);
        assert_eq!(judged(&[WRITE, elsewhere, REPLY]), not_synced);
        assert_eq!(judged(&[WRITE, begun, REPLY, resumed]), not_synced);
        assert_eq!(
            judged(&[
                begun,
                "8 write(17</d/0.jnl>, \"fit@000001@\", 3) = 3",
                resumed,
                REPLY
            ]),
            not_synced
        );
        assert_eq!(judged(&[SYNC, REPLY]), [Violation::NotWritten(name(1))]);
        assert_eq!(
            judged(&[REPLY, WRITE, SYNC]),
            [Violation::NotWritten(name(1))]
        );
        assert_eq!(judged(&[WRITE, SYNC]), [Violation::NoReply(name(1))]);
    }
}
