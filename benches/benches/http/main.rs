//! The server over real sockets, beside servers that do less, in one run.
//!
//! Sections: `http/predict`, `http/explain`, `http/fits`, `http/updates`, `http/columns`, `http/stream`, `http/million`; a
//! word on the command line chooses those that contain it. Ratios are what to quote, see `benches`' own
//! documentation.
//!
//! - `TIDEMARK_BENCH_HEAVY=1`: `http/million` runs on 10⁶ series; it is left out otherwise. `http/stream` sends 10⁷ lines.
//! - `TIDEMARK_BENCH_PEERS=1`: FastAPI takes part; needs `python3` and the package index.

mod columns;
mod explain;
mod fits;
mod fixture;
mod million;
mod peers;
mod predict;
mod stream;
mod updates;

use benches::{is_heavy, is_smoke, machine, servers};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    servers::play_if_asked();
    println!("{}", machine::describe());
    machine::pin(machine::Core::Load);
    let sections: [(&str, fn()); 7] = [
        ("http/predict", predict::run),
        ("http/explain", explain::run),
        ("http/fits", fits::run),
        ("http/updates", updates::run),
        ("http/columns", columns::run),
        ("http/stream", stream::run),
        ("http/million", million::run),
    ];
    // criterion's options and their values are not for this harness.
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .take_while(|argument| {
            !argument.starts_with("--") || argument == "--bench" || argument == "--test"
        })
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, run) in sections {
        let chosen = filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
        let affordable = name != "http/million" || is_heavy() || is_smoke();
        if chosen && affordable {
            run();
        }
    }
}
