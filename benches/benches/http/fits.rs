//! Fits of 6 points: with the sync, without it, and without a store at all.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use benches::load::{Load, Pace};
use benches::process::Server;
use benches::report::{Contender, Target, median, ratio, verdict};
use benches::requests::AcrossSeries;
use benches::servers::Role;
use benches::{data, is_smoke, requests};
use service::store::Durability;
use tempfile::TempDir;

use crate::fixture::{Fitted, folder, rounds, warm_up};
use crate::peers;

/// Fits go to random series of this many.
const N_SERIES: usize = 100_000;
const PAGE_BYTES: usize = 4 * 1024;

pub(crate) fn run() {
    for connections in [100, 256] {
        shared_syncs(connections);
    }
    lone_fit();
}

pub(crate) fn fits() -> impl FnMut(&mut Vec<u8>) + 'static {
    let points = data::history(data::SHORT, 1);
    let template = requests::fit(&data::series_id(0), &points, None);
    let mut across = AcrossSeries::new(template, 0..N_SERIES, 7);
    move |out| across.write(out)
}

fn start(folder: &TempDir, durability: Durability) -> Server {
    Server::start(&Role::service(
        folder.path().join(format!("{durability:?}")),
        durability,
    ))
}

fn shared_syncs(connections: usize) {
    let folder = folder();
    let Fitted { service, reply } = Fitted::start(&folder);
    drop(service);
    let enter = |name, server| Contender::new(name, server, connections, warm_up(), fits());
    let mut all = vec![
        enter("synced", start(&folder, Durability::Synced)),
        enter("not synced", start(&folder, Durability::Buffered)),
        enter("no store", Server::start(&Role::Floor { reply })),
    ];
    all.extend(
        peers::fastapi(&folder, peers::Durability::Fsync)
            .map(|server| enter("FastAPI + fsync", server)),
    );
    rounds().run(
        &format!("fit, 6 points, {connections} connections"),
        &mut all,
    );
    let [synced, buffered, memory, rest @ ..] = all.as_slice() else {
        unreachable!("three entered above");
    };
    let rate = |other| ratio(synced, other, |s| s.per_second);
    verdict(
        "G6",
        "fits a second, synced / not synced",
        rate(buffered),
        Target::AtLeast(0.70),
    );
    println!("     synced / no store: {:.3}", rate(memory));
    for peer in rest {
        verdict(
            "G6",
            "fits a second, service / FastAPI with fsync",
            rate(peer),
            Target::AtLeast(40.0),
        );
    }
}

fn lone_fit() {
    let folder = folder();
    let server = start(&folder, Durability::Synced);
    let mut load = Load::connect(server.addr(), 1);
    let mut next = fits();
    let mut appended = Pages::append(folder.path());
    let mut in_place = Pages::in_place(folder.path());
    let (n, turn) = if is_smoke() { (1, 20) } else { (9, 700) };
    let turn = Duration::from_millis(turn);
    let _ = load.run(turn, Pace::Closed, &mut next);
    let mut p50 = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..n {
        p50[0].push(load.run(turn, Pace::Closed, &mut next).quantile_ms(0.5));
        p50[1].push(appended.sync_for(turn));
        p50[2].push(in_place.sync_for(turn));
    }
    let [fit, append, place] = p50.map(|p50| median(&p50));
    println!(
        "\none fit at a time, median of {n} rounds: p50 {fit:.3} ms; fdatasync of a 4 KiB append {append:.3} ms, in \
         place {place:.3} ms"
    );
    verdict(
        "G7",
        "a fit beyond a raw fdatasync of an append, ms",
        fit - append,
        Target::AtMost(0.2),
    );
    verdict(
        "G7",
        "a fit beyond a raw fdatasync in place, ms",
        fit - place,
        Target::AtMost(0.2),
    );
}

/// A file that is written and synced page by page.
struct Pages {
    file: File,
    left: Option<usize>,
}

const IN_PLACE_BYTES: usize = 64 << 20;

impl Pages {
    /// Every page makes the file longer, and its length is synced with it.
    fn append(folder: &Path) -> Self {
        Self {
            file: File::create(folder.join("append")).expect("a file can be made"),
            left: None,
        }
    }

    /// The file has its length before: the sync has nothing but the page to write.
    fn in_place(folder: &Path) -> Self {
        let path = folder.join("in_place");
        std::fs::write(&path, vec![0; IN_PLACE_BYTES]).expect("the disk has room");
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("it is there");
        file.sync_all().expect("the disk syncs");
        Self {
            file,
            left: Some(IN_PLACE_BYTES),
        }
    }

    /// The median of the time one page takes, in milliseconds.
    fn sync_for(&mut self, duration: Duration) -> f64 {
        let (start, mut times) = (Instant::now(), Vec::new());
        while times.is_empty() || start.elapsed() < duration {
            let begin = Instant::now();
            self.file
                .write_all(&[7; PAGE_BYTES])
                .expect("the disk has room");
            self.file.sync_data().expect("the disk syncs");
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            if let Some(left) = &mut self.left {
                *left -= PAGE_BYTES;
                if *left == 0 {
                    std::io::Seek::rewind(&mut self.file).expect("a file can be rewound");
                    *left = IN_PLACE_BYTES;
                }
            }
        }
        median(&times)
    }
}
