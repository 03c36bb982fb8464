//! D4: a write or a sync that fails is never made up into an acknowledgement. strace makes the k-th one
//! fail, once; those that follow would succeed, as on a disk whose kernel has dropped what it could not write.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fail_stop::{
    Violation, Write, judge, judge_predicts, judge_probes, judge_restarted, predict,
    write_until_refused,
};
use super::strace::traced;
use super::sync_order::{self, TRACE_ENDS_WITHIN, eatmydata};
use super::trace;
use crate::binary::Tidemark;
use crate::from_env;
use crate::http::once;
use crate::payload::{self, POINT};

const HEALTH: [&str; 2] = ["--health-addr", "127.0.0.1:0"];
/// Most calls that succeed before the one that fails.
const LATEST: u64 = 30;
/// Writes a point sends at most: as many for each call as there are writers, and some after it.
const WRITES: u64 = 4 * LATEST + 100;

/// Which calls on the journal are made to fail.
#[derive(Clone, Copy, Debug)]
enum Fails {
    Sync,
    Write,
}

/// A store with what no point changes.
struct Prepared {
    folder: tempfile::TempDir,
    /// What `known` answered before anything failed.
    known: serde_json::Value,
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let server = Tidemark::start(folder.path(), &[]);
        for (target, body) in [
            ("/fit/known", &payload::fit(1, 300)[..]),
            ("/update/learning", POINT),
        ] {
            let reply = once(server.addr, "POST", target, body).expect("a reply");
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        let known = predict(server.addr, "known").expect("it was fitted");
        server.stop();
        Self { folder, known }
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The file that is written to.
    fn journal(&self) -> PathBuf {
        let store = self.data().join("store");
        let files = std::fs::read_dir(store).expect("the store is there");
        let paths = files.map(|file| file.expect("it can be listed").path());
        let number = |path: &PathBuf| {
            let stem = path.file_stem()?.to_str()?.parse::<u64>().ok()?;
            path.extension()
                .is_some_and(|it| it == "jnl")
                .then_some(stem)
        };
        let latest = paths.filter_map(|path| Some((number(&path)?, path))).max();
        latest.expect("a store has a journal").1
    }

    /// Runs a server whose `k`-th call fails and a sound one after it; what does not hold.
    fn violations(
        &self,
        fails: Fails,
        k: u64,
        first: u64,
        preload: Option<&str>,
    ) -> Vec<Violation> {
        let trace_path = self.folder.path().join("trace");
        let trace_name = trace_path.to_str().expect("a path of ours is UTF-8");
        let journal = self.journal();
        let journal = journal.to_str().expect("a path of ours is UTF-8");
        let call = match fails {
            Fails::Sync => "fdatasync",
            Fails::Write => "write",
        };
        let inject = format!("inject={call}:error=EIO:when={k}");
        let mut strace = vec!["--seccomp-bpf", "-o", trace_name];
        match fails {
            // Only the journal is synced so, and the trace shows replies as well.
            Fails::Sync => strace.extend(["-y", "-s", sync_order::SHOWN, "-e", sync_order::CALLS]),
            Fails::Write => strace.extend(["-P", journal, "-e", "trace=write"]),
        }
        strace.extend(["-e", &inject]);
        if let Some(preload) = preload {
            strace.extend(["-E", preload]);
        }
        let server = Tidemark::spawn(&mut traced(&strace, self.data(), &HEALTH));
        let writes = write_until_refused(server.addr, first, WRITES);
        let mut violations = judge(&writes);
        violations.extend(judge_probes(&server));
        violations.extend(judge_predicts(server.addr, &writes));
        if predict(server.addr, "known").as_ref() != Some(&self.known) {
            violations.push(Violation::WrongPredict("known".into()));
        }
        if violations.is_empty() {
            violations.extend(refuses_the_state(&server));
        }
        let pid = server.pid();
        server.kill_9();
        if matches!(fails, Fails::Sync) && preload.is_none() {
            violations.extend(judge_trace(&whole(&trace_path, pid), &writes));
        }
        let server = Tidemark::start(self.data(), &[]);
        violations.extend(judge_restarted(server.addr, &writes));
        if predict(server.addr, "known").as_ref() != Some(&self.known) {
            violations.push(Violation::Lost("known".into()));
        }
        server.stop();
        violations
    }
}

/// A state that was there before takes no point either.
fn refuses_the_state(server: &Tidemark) -> Option<Violation> {
    let point = br#"{"timestamp":"1769846460","value":12.5}"#;
    let reply = once(server.addr, "POST", "/update/learning", point).expect("it listens");
    let is_refused = reply.status == 503 && reply.json()["code"] == "store_unavailable";
    (!is_refused).then(|| Violation::AcknowledgedAfterFailure("learning".into()))
}

/// The trace, once strace has seen the end of the process.
fn whole(path: &Path, pid: u32) -> String {
    let started = Instant::now();
    let pid = pid.to_string();
    let end = [pid.as_str(), "+++", "killed", "by", "SIGKILL", "+++"];
    loop {
        let bytes = std::fs::read(path).expect("strace wrote a trace");
        let text = String::from_utf8(bytes).expect("strace escapes what is not ASCII");
        if text.lines().any(|line| line.split_whitespace().eq(end)) {
            return text;
        }
        assert!(started.elapsed() < TRACE_ENDS_WITHIN, "strace did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the system calls say: whatever was acknowledged was synced by a call that succeeded, and after the
/// one that failed none was tried again.
fn judge_trace(text: &str, writes: &[Write]) -> Vec<Violation> {
    let acknowledged: Vec<String> = writes
        .iter()
        .filter(|write| write.is_acknowledged())
        .map(|write| write.series.clone())
        .collect();
    let mut found: Vec<Violation> = trace::violations(text, &acknowledged)
        .into_iter()
        .map(|violation| Violation::AcknowledgedAfterFailure(format!("{violation:?}")))
        .collect();
    let mut lines = text.lines();
    let failed = lines.find(|line| line.contains("fdatasync") && line.contains("EIO"));
    if failed.is_none() {
        found.push(Violation::NothingFailed);
    }
    let again = lines.filter(|line| line.contains("fdatasync("));
    let again = again.map(|line| Violation::AcknowledgedAfterFailure(line.to_owned()));
    found.extend(again);
    found
}

#[test]
fn a_failed_write_or_sync_is_never_acknowledged() {
    let points = from_env("TIDEMARK_D4_POINTS", 12);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_D4_POINTS={points} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let prepared = Prepared::new();
    for point in 0..points {
        let fails = if point.is_multiple_of(3) {
            Fails::Write
        } else {
            Fails::Sync
        };
        let k = random.random_range(1..=LATEST);
        let violations = prepared.violations(fails, k, point * WRITES, None);
        assert_eq!(violations, [], "{fails:?} {k} fails");
    }
    println!("{points} points, 0 false acknowledgements");
}

/// The control: libeatmydata tells the server that its sync has succeeded, whatever the disk says.
#[test]
fn a_server_that_does_not_hear_of_a_failed_sync_is_caught() {
    let prepared = Prepared::new();
    let preload = format!("LD_PRELOAD={}", eatmydata().display());
    let violations = prepared.violations(Fails::Sync, 3, 0, Some(&preload));
    let stayed = Violation::StayedReady;
    assert_eq!(
        violations,
        [Violation::NothingFailed, stayed.clone(), stayed]
    );
}

/// Each sync of a start on an empty folder fails in turn: the server says so and ends, and the next start finds
/// a folder that it can use.
#[test]
fn a_store_that_could_not_be_made_is_made_by_the_next_start() {
    for k in 1.. {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let inject = format!("inject=fsync:error=EIO:when={k}");
        let strace = ["-o", "/dev/null", "-e", "trace=fsync", "-e", &inject];
        let started = Tidemark::try_spawn(&mut traced(&strace, folder.path(), &[]));
        let ended = match started {
            Ok(server) => {
                // A start makes fewer syncs than that.
                server.stop();
                assert!(k > 5, "{k} syncs of a start did not fail");
                println!("{} syncs of a start failed in turn", k - 1);
                return;
            }
            Err(ended) => ended,
        };
        assert_eq!(ended.status.code(), Some(1), "{k}: {ended:?}");
        assert!(
            ended.errors.contains("cannot open the store"),
            "{k}: {ended:?}"
        );
        let server = Tidemark::start(folder.path(), &[]);
        let reply = once(server.addr, "POST", "/fit/a", &payload::fit(1, 4)).expect("a reply");
        assert_eq!(reply.status, 200, "{k}: {}", reply.text());
        server.stop();
    }
}
