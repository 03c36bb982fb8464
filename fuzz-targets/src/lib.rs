//! The fuzz targets: what each does with any bytes, and what must hold then.
//!
//! `fuzz/` gives them to libFuzzer; `tests/short.rs` here feeds them the committed corpus with seeded
//! changes on every `cargo test`, with the stable compiler. No target panics: a law that is broken is an error
//! that says so.

mod artifact;
mod body;
#[path = "../../detectors/tests/common/case.rs"]
mod case;
mod fit;
#[path = "../../detectors/tests/common/hostile.rs"]
mod hostile;
#[path = "../../detectors/tests/common/input.rs"]
mod input;
#[path = "../../detectors/tests/common/laws.rs"]
mod laws;
mod path;
mod predict;
mod query;
mod refusal;
pub mod seeds;
mod store_record;
mod update;

use arbitrary::{Arbitrary, Unstructured};

/// Whether a case got past the first refusal; or the law that is broken.
pub type Outcome = Result<bool, String>;

/// A fuzz target.
pub struct Target {
    /// As `cargo fuzz run` has it, and the folder of its corpus.
    pub name: &'static str,
    /// What it does with any bytes.
    pub check: fn(&[u8]) -> Outcome,
}

impl Target {
    /// Feeds it `data`.
    ///
    /// # Panics
    /// When a law is broken: what libFuzzer takes for a find.
    pub fn run(&self, data: &[u8]) {
        if let Err(broken) = (self.check)(data) {
            panic!("{}: {broken}", self.name);
        }
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "fit_score",
        check: |data| {
            case::Case::arbitrary(&mut Unstructured::new(data))
                .map_or(Ok(false), |case| case.check())
        },
    },
    Target {
        name: "decode",
        check: |data| {
            let hostile = hostile::Hostile::arbitrary(&mut Unstructured::new(data));
            hostile.map_or(Ok(false), |hostile| hostile.check())
        },
    },
    Target {
        name: "body",
        check: body::check,
    },
    Target {
        name: "fit",
        check: fit::check,
    },
    Target {
        name: "predict",
        check: predict::check,
    },
    Target {
        name: "update",
        check: update::check,
    },
    Target {
        name: "store_record",
        check: store_record::check,
    },
    Target {
        name: "artifact",
        check: artifact::check,
    },
    Target {
        name: "path",
        check: path::check,
    },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
