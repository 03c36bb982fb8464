//! The order in which two servers are measured: A, B, B, A, and again.
//!
//! What drifts in a straight line over a round meets both sides alike; neighbours make a pair, A and
//! B in the first half and B and A in the second, which are the units of the comparison.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// One of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is compared with.
    A,
    /// What is compared.
    B,
}

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which server.
    pub side: Side,
    /// Its round, from 1.
    pub round: u32,
    /// The name of its folder.
    pub folder: String,
}

/// The folders of the runs of each side; the n-th of both are a pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// A's.
    pub a: Vec<PathBuf>,
    /// B's.
    pub b: Vec<PathBuf>,
}

/// The runs of `rounds` rounds.
#[must_use]
pub fn plan(rounds: u32) -> Vec<Step> {
    let sides = [Side::A, Side::B, Side::B, Side::A];
    let steps = (1..=rounds).flat_map(|round| sides.map(|side| (round, side)));
    steps
        .zip(1..)
        .map(|((round, side), number)| {
            let name = match side {
                Side::A => "a",
                Side::B => "b",
            };
            Step {
                side,
                round,
                folder: format!("{number:03}-{name}"),
            }
        })
        .collect()
}

impl Folders {
    /// Of runs in `out` as [`plan`] has them.
    #[must_use]
    pub fn of(plan: &[Step], out: &Path) -> Self {
        let of = |side| {
            let steps = plan.iter().filter(move |step| step.side == side);
            steps.map(|step| out.join(&step.folder)).collect()
        };
        Self {
            a: of(Side::A),
            b: of(Side::B),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_a_b_b_a_and_its_pairs_are_neighbours() {
        let plan = plan(3);
        let order: Vec<_> = plan.iter().map(|step| step.folder.as_str()).collect();
        let first = ["001-a", "002-b", "003-b", "004-a", "005-a"];
        assert_eq!((order.len(), &order[..5]), (12, &first[..]));
        let folders = Folders::of(&plan, Path::new("x"));
        let number = |path: &PathBuf| -> i32 {
            let name = path.file_name().unwrap().to_str().unwrap();
            name[..3].parse().unwrap()
        };
        let apart: Vec<i32> = folders
            .a
            .iter()
            .zip(&folders.b)
            .map(|(a, b)| number(b) - number(a))
            .collect();
        assert_eq!(apart, [1, -1, 1, -1, 1, -1], "a drift cancels out");
    }
}
