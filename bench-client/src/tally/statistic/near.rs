//! Names near one that no figure has.

use super::Statistic;

/// Names that are told.
const TOLD: usize = 5;

/// No figure has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no statistic is called {name:?}; near it: {}", near.join(", "))]
pub struct UnknownStatistic {
    name: String,
    near: Vec<String>,
}

impl UnknownStatistic {
    pub(super) fn near(name: &str) -> Self {
        let mut names: Vec<String> = Statistic::names().collect();
        names.sort_by_cached_key(|known| (distance(name, known), known.len()));
        names.truncate(TOLD);
        Self {
            name: name.to_owned(),
            near: names,
        }
    }
}

/// Edits from one word to another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_near_ones() {
        let near = |name: &str| UnknownStatistic::near(name).to_string();
        assert!(near("p98").contains("p99"), "{}", near("p98"));
        assert!(near("completed_rsp").contains("completed_rps"));
        assert!(
            near("predict.p42").contains("predict.p"),
            "{}",
            near("predict.p42")
        );
        for name in [
            "",
            ".",
            "p99.",
            "last.",
            "last",
            "ok.p50",
            "nosuch.p50",
            "p99.99.9",
        ] {
            name.parse::<Statistic>().expect_err(name);
        }
    }
}
