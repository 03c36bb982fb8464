//! D9: backups of a server under load, each restored into a store of its own and audited.
//!
//! What is in a backup is a prefix of the order of commits: everything that was acknowledged before the
//! backup began is there, and whatever else is there, all that was acknowledged before that was sent
//! is there as well.

mod command;
mod damaged;
mod moment;
mod socket;
mod torn;
mod writers;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::binary::{Ended, Tidemark, run};
use super::from_env;
use moment::Moment;
use writers::Writers;

/// Backups of one store. A new one now and then keeps what is audited after each small.
const BACKUPS_A_STORE: u64 = 10;

/// `tidemark` with arguments.
fn tidemark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.args(arguments).env_remove("TIDEMARK_DATA_DIR");
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// `tidemark backup` of `data_dir`.
fn back_up(data_dir: &Path, to: &Path) -> Ended {
    let arguments = ["backup", "--data-dir", text(data_dir), "--to", text(to)];
    run(&mut tidemark(&arguments))
}

/// `tidemark restore` into `data_dir`.
fn restore(from: &Path, data_dir: &Path) -> Ended {
    let arguments = [
        "restore",
        "--from",
        text(from),
        "--data-dir",
        text(data_dir),
    ];
    run(&mut tidemark(&arguments))
}

#[track_caller]
fn succeeded(ended: Ended) -> Ended {
    assert!(ended.status.success(), "{ended:?}");
    ended
}

#[track_caller]
fn refused(ended: &Ended, words: &str) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.errors.contains(words), "{words:?} in {ended:?}");
}

#[test]
fn backups_under_load_are_consistent_points() {
    let backups = from_env("TIDEMARK_BACKUPS", 3);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_BACKUPS={backups} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let started = Instant::now();
    let mut all = Audited::default();
    for first in (0..backups).step_by(BACKUPS_A_STORE as usize) {
        all.add(&back_up_again_and_again(
            BACKUPS_A_STORE.min(backups - first),
            &mut random,
        ));
    }
    println!(
        "{backups} backups under load, {} acknowledged changes, {} of them within backups, {} acknowledged while a \
         backup was made: 0 inconsistent, {:?}",
        all.acknowledged,
        all.found,
        all.beside,
        started.elapsed()
    );
    assert!(all.found > 0 && all.beside > 0, "there was load");
}

/// What was found right.
#[derive(Default)]
struct Audited {
    acknowledged: usize,
    found: usize,
    /// Acknowledged between the beginning and the end of a backup.
    beside: usize,
}

impl Audited {
    fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.found += other.found;
        self.beside += other.beside;
    }
}

/// Backs up a store of its own while writers write, then restores and audits each backup.
fn back_up_again_and_again(backups: u64, random: &mut ChaCha8Rng) -> Audited {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data_dir = folder.path().join("data");
    let server = Tidemark::start(&data_dir, &[]);
    let writers = &Writers::new();
    let file = |i: u64| folder.path().join(format!("{i}.backup"));
    let (spans, written) = std::thread::scope(|scope| {
        let addr = server.addr;
        let written = scope.spawn(move || writers.write_until_it_is_gone(addr));
        let spans: Vec<_> = (0..backups)
            .map(|i| {
                std::thread::sleep(Duration::from_millis(random.random_range(50..300)));
                let begun = writers.now();
                let told = succeeded(back_up(&data_dir, &file(i))).output;
                assert!(told.contains("by the running server"), "{told}");
                (begun, writers.now())
            })
            .collect();
        server.kill_9();
        (spans, written.join().expect("no writer panicked"))
    });
    let mut all = Audited {
        acknowledged: written.n_acknowledged(),
        ..Audited::default()
    };
    for (i, (begun, ended)) in (0..backups).zip(spans) {
        let restored = folder.path().join("restored");
        let told = succeeded(restore(&file(i), &restored)).output;
        let server = Tidemark::start(&restored, &[]);
        let moment = Moment::read(server.addr, &writers.series(), &written);
        let violations = moment.audit(&written, begun);
        assert_eq!(violations, [], "backup {i}: {told}");
        let series = moment.series_count();
        assert!(told.contains(&format!(": {series} series, ")), "{told}");
        moment.assert_that_states_continue(server.addr, &written);
        server.stop();
        std::fs::remove_dir_all(&restored).expect("it can be removed");
        all.found += moment.n_found(&written);
        all.beside += written.n_told_between(begun, ended);
    }
    all
}
