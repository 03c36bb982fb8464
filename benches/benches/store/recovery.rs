//! Stores of a million series, opened after the process that filled them was aborted.

use std::path::Path;
use std::time::{Duration, Instant};

use benches::process::{folder_bytes, run_to_end};
use benches::report::median;
use benches::servers::Role;
use benches::{data, machine};
use service::store::{EmbeddedOptions, EmbeddedStore, Found, Store, VersionSelector};

use super::contenders;
use super::{folder, store_path};

const FLAG: &str = "--fill-and-abort";
/// Items a commit: the fill is not what is measured.
const BATCH: usize = 1_000;
const OPENS: usize = 5;

/// Measures and prints.
pub(crate) fn measure(n: usize) {
    println!("\nstores of {n} items after an abort:");
    service(n);
    for name in ["fjall", "redb"] {
        let folder = folder();
        let path = store_path(&folder);
        fill(name, &path, n);
        let start = Instant::now();
        let store = contenders::open(name, &path);
        let opened = start.elapsed();
        let start = Instant::now();
        let found = store.count();
        print(name, opened, &path);
        println!("         counted in {:?}", start.elapsed());
        assert_eq!(found, n as u64, "{name} lost items that were synced");
    }
}

/// The service's own store, with its records and its versions' heads.
fn service(n: usize) {
    let folder = folder();
    run_to_end(&Role::Fill {
        data_dir: folder.path().to_path_buf(),
        n_series: n,
    });
    machine::pin(machine::Core::Load);
    let path = store_path(&folder);
    let mut times = Vec::new();
    for _ in 0..OPENS {
        let start = Instant::now();
        let store = EmbeddedStore::open(&EmbeddedOptions::at(&path)).expect("it opens");
        times.push(start.elapsed().as_secs_f64());
        assert_eq!(
            store.series_count(),
            n as u64,
            "series that were synced are lost"
        );
        let last = store.version(&data::series_id(n - 1), VersionSelector::Latest);
        assert!(
            matches!(last, Ok(Found::Version(_))),
            "the last series is lost"
        );
    }
    print("service", Duration::from_secs_f64(times[0]), &path);
    println!(
        "         opened again in {:?}, median of {} after a close",
        Duration::from_secs_f64(median(&times[1..])),
        OPENS - 1
    );
}

fn print(name: &str, opened: Duration, path: &Path) {
    let bytes = folder_bytes(path).max(path.metadata().map_or(0, |m| m.len()));
    println!("{name:<8} opened in {opened:?}, {} MB", bytes / 1_000_000);
}

fn fill(name: &str, path: &Path, n: usize) {
    let program = std::env::current_exe().expect("a program knows its file");
    let mut child = std::process::Command::new(program);
    child.args([FLAG, name]).arg(path).arg(n.to_string());
    child.status().expect("a program can be started");
}

/// Fills a store and aborts, if this process was started for that.
pub(crate) fn play_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|argument| argument == FLAG) else {
        return;
    };
    let [name, path, n] = &arguments[at + 1..] else {
        panic!("{FLAG} takes a name, a path and a number");
    };
    let n: usize = n.parse().expect("a number");
    let mut store = contenders::open(name, Path::new(path));
    let mut items = contenders::items(5).take(n).peekable();
    while items.peek().is_some() {
        store.commit(&mut items.by_ref().take(BATCH));
    }
    std::process::abort();
}
