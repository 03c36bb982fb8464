//! The load client of Tidemark's HTTP contract, behind the binary `tidemark-bench`.
//!
//! A run is a row of phases, one module each: [`payload`] makes bodies as a pure function of
//! (seed, series, i); [`client`] turns them into requests and replies; [`runner`] sends a burst
//! under a bound on concurrency, timed by [`clock`]; every call leaves one [`record`];
//! [`stats`] and [`summary`] condense the records; [`report`] writes them out. [`notebook`] is
//! the sequence that strings these together, and [`cli`] is the command line over it.
//!
//! [`quality`] is apart from all that: it measures the accuracy of the detectors on labelled series,
//! in process or through a running service.
//!
//! Nothing else here depends on the server's crates: the client speaks to any server of the base
//! contract, and what it later checks, it checks by its own code.

pub mod arrivals;
pub mod audit;
pub mod base_url;
pub mod batch_compare;
pub mod calibrate;
pub mod cli;
pub mod client;
pub mod clock;
pub mod compare;
pub mod cost;
pub mod countdown;
pub mod gate;
pub mod heatmap;
pub mod host;
pub mod interrupt;
pub mod ledger;
pub mod live;
pub mod load;
pub mod notebook;
pub mod oracle;
pub mod payload;
pub mod quality;
pub mod reach;
pub mod record;
pub mod report;
pub mod results;
pub mod runner;
pub mod scenario;
pub mod stats;
pub mod stub;
pub mod summary;
pub mod sweep;
pub mod tally;
pub mod validity;
pub mod workload;

mod console;
