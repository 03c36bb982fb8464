//! The load client of Tidemark's HTTP contract, behind the binary `tidemark-bench`.
//!
//! A run ([`load`]) sends what [`workload`] makes at the moments that [`arrivals`] fixes, and leaves one
//! record a response, from which all else follows: [`tally`] counts them, [`results`] keeps and loads
//! them, [`report`] draws them. `docs/ARCHITECTURE.md` has the map.
//!
//! The notebook's burst is older and apart: [`payload`] makes its bodies, [`runner`] sends them through
//! [`client`] and [`clock`] times them; every call leaves one [`record`], and [`stats`] and [`summary`]
//! condense them for [`notebook`].
//!
//! [`quality`] is apart from all that: it measures the accuracy of the detectors on labelled series,
//! in process or through a running service.
//!
//! Nothing else here depends on the server's crates: the client speaks to any server of the base
//! contract, and what it later checks, it checks by its own code.

pub mod api_key;
pub mod arrivals;
pub mod audit;
pub mod base_url;
pub mod batch_compare;
pub mod calibrate;
pub mod chaos;
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
pub mod server_side;
pub mod stats;
pub mod stub;
pub mod summary;
pub mod sweep;
pub mod tally;
pub mod validity;
pub mod workload;

mod children;
mod console;
