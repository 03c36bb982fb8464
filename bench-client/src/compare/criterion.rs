//! Baselines that criterion has saved: `<benchmark>/<baseline>/sample.json`, with the iterations and
//! the time of each of its samples, in the order in which they were taken.
//!
//! A baseline is a run of a side. Its figure is the median time of one iteration over the samples,
//! which a few samples that met other work on the machine do not move; blocks of neighbouring samples
//! are drawn again, as those of responses are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::file::Basis;
use super::{Random, Sides, Unit};
use crate::tally::statistic::Direction;

/// Why baselines could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CriterionError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what criterion writes.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No benchmark has a baseline of each side.
    #[error(
        "no benchmark below {} has all of the baselines {baselines}: save them by \
         `cargo bench -- --save-baseline NAME`", dir.display()
    )]
    None {
        /// Where they were looked for.
        dir: PathBuf,
        /// The names.
        baselines: String,
    },
}

/// What is compared of the baselines `a` and `b`: every benchmark below `dir` that has all of them.
/// One that has only some is told in the warnings.
///
/// # Errors
/// When nothing can be compared, or a file cannot be read.
pub fn read(dir: &Path, a: &[String], b: &[String]) -> Result<(Basis, Vec<Sides>), CriterionError> {
    let mut found = BTreeMap::new();
    find(dir, dir, &mut found)?;
    let mut random = Random::new(0);
    let mut basis = Basis {
        a: a.to_vec(),
        b: b.to_vec(),
        ..Basis::default()
    };
    let mut all = Vec::new();
    for (benchmark, baselines) in found {
        let (of_a, of_b) = (paths(&baselines, a), paths(&baselines, b));
        let (Some(of_a), Some(of_b)) = (of_a, of_b) else {
            if a.iter().chain(b).any(|name| baselines.contains_key(name)) {
                let some = format!("{benchmark} has only some of the baselines, and is left out");
                basis.warnings.push(some);
            }
            continue;
        };
        let mut units = |paths: Vec<&PathBuf>| -> Result<Vec<Unit>, CriterionError> {
            let units = paths.into_iter().map(|path| unit(path, &mut random));
            units.collect()
        };
        all.push(Sides {
            name: benchmark,
            unit: "ns",
            direction: Direction::LowerIsBetter,
            a: Ok(units(of_a)?),
            b: Ok(units(of_b)?),
            needed: 0.0,
        });
    }
    if all.is_empty() {
        let names: Vec<_> = a.iter().chain(b).map(String::as_str).collect();
        return Err(CriterionError::None {
            dir: dir.to_owned(),
            baselines: names.join(", "),
        });
    }
    Ok((basis, all))
}

/// All of the baselines, or none.
fn paths<'a>(
    baselines: &'a BTreeMap<String, PathBuf>,
    names: &[String],
) -> Option<Vec<&'a PathBuf>> {
    names.iter().map(|name| baselines.get(name)).collect()
}

/// Files of samples below `dir`, by benchmark and baseline.
fn find(
    root: &Path,
    dir: &Path,
    found: &mut BTreeMap<String, BTreeMap<String, PathBuf>>,
) -> Result<(), CriterionError> {
    let failed = |source| CriterionError::Read {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            find(root, &entry.path(), found)?;
        } else if entry.file_name() == "sample.json" {
            let benchmark = dir.parent().and_then(|dir| dir.strip_prefix(root).ok());
            let (Some(benchmark), Some(baseline)) = (benchmark, dir.file_name()) else {
                continue;
            };
            let benchmark = full_id(dir).unwrap_or_else(|| benchmark.display().to_string());
            found
                .entry(benchmark)
                .or_default()
                .insert(baseline.to_string_lossy().into_owned(), entry.path());
        }
    }
    Ok(())
}

/// The name that the benchmark has in its source; the folder's has no characters but those of files.
fn full_id(dir: &Path) -> Option<String> {
    let text = fs::read(dir.join("benchmark.json")).ok()?;
    let benchmark: serde_json::Value = serde_json::from_slice(&text).ok()?;
    Some(benchmark["full_id"].as_str()?.to_owned())
}

/// What is used of `sample.json`.
#[derive(Debug, Deserialize)]
struct Samples {
    /// Iterations of each sample.
    iters: Vec<f64>,
    /// Their time together in nanoseconds.
    times: Vec<f64>,
}

fn unit(path: &Path, random: &mut Random) -> Result<Unit, CriterionError> {
    let text = fs::read(path).map_err(|source| CriterionError::Read {
        path: path.to_owned(),
        source,
    })?;
    let content = |reason: String| CriterionError::Content {
        path: path.to_owned(),
        reason,
    };
    let samples: Samples =
        serde_json::from_slice(&text).map_err(|error| content(error.to_string()))?;
    let same = samples.iters.len() == samples.times.len();
    let positive = samples.iters.iter().all(|iters| *iters > 0.0);
    if !(same && positive && samples.times.iter().all(|time| *time > 0.0)) {
        return Err(content(
            "not as many times as iterations, all above 0".to_owned(),
        ));
    }
    // In femtoseconds, which are whole numbers.
    let each = samples.times.iter().zip(&samples.iters);
    let each: Vec<u64> = each
        .map(|(time, iters)| (time / iters * 1e6) as u64)
        .collect();
    let unit = Unit::quantile(&each, 0.5, None, random);
    let mut unit = unit.ok_or_else(|| content("it has no samples".to_owned()))?;
    unit.value /= 1e6;
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Design, Judge, Verdict};

    /// A baseline as criterion saves it: 100 samples of 10, 20, … iterations.
    fn save(dir: &Path, benchmark: &str, baseline: &str, ns: f64, seed: u64) {
        let mut random = Random::new(seed);
        let of_run = (0.01 * random.normal()).exp();
        let iters: Vec<f64> = (1..=100).map(|i| f64::from(i * 10)).collect();
        let times: Vec<f64> = iters
            .iter()
            .map(|iters| iters * ns * of_run * (0.02 * random.normal()).exp())
            .collect();
        let dir = dir.join(benchmark).join(baseline);
        fs::create_dir_all(&dir).unwrap();
        let text = serde_json::json!({"sampling_mode": "Linear", "iters": iters, "times": times});
        fs::write(dir.join("sample.json"), text.to_string()).unwrap();
        fs::write(dir.join("estimates.json"), "{}").unwrap();
    }

    fn names(prefix: &str) -> Vec<String> {
        (1..=5).map(|n| format!("{prefix}-{n}")).collect()
    }

    fn judge() -> Judge {
        Judge {
            min_effect: 0.05,
            design: Design::Apart,
            seed: 1,
        }
    }

    #[test]
    fn the_one_benchmark_that_is_slower_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for (n, name) in names("main").iter().enumerate() {
            save(dir.path(), "fit/seasonal/50", name, 1_000.0, n as u64);
            save(dir.path(), "score/one", name, 12.5, 10 + n as u64);
        }
        let benchmark = dir.path().join("score/one/main-1/benchmark.json");
        fs::write(benchmark, r#"{"full_id": "score/one"}"#).unwrap();
        for (n, name) in names("new").iter().enumerate() {
            save(dir.path(), "fit/seasonal/50", name, 1_150.0, 20 + n as u64);
            save(dir.path(), "score/one", name, 12.5, 30 + n as u64);
        }
        save(dir.path(), "removed", "main-1", 5.0, 1);
        let (basis, sides) = read(dir.path(), &names("main"), &names("new")).unwrap();
        assert_eq!(
            basis.warnings,
            ["removed has only some of the baselines, and is left out"]
        );
        let found = judge().judge(sides);
        let said: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.verdict)).collect();
        let wanted = [
            ("fit/seasonal/50", Verdict::Worse),
            ("score/one", Verdict::Equivalent),
        ];
        assert_eq!(said, wanted, "{found:?}");
        let relative = found[0].relative.unwrap();
        assert!((0.1..0.2).contains(&relative), "{relative}");
        let a = found[1].a.unwrap();
        assert!((12.2..12.8).contains(&a), "nanoseconds: {a}");
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "x", "main-1", 5.0, 1);
        let refused = |a: &str, b: &str| {
            let names = |name: &str| [name.to_owned()];
            let read = read(dir.path(), &names(a), &names(b));
            read.unwrap_err().to_string()
        };
        let said = refused("main-1", "new-1");
        assert!(
            said.contains("main-1, new-1") && said.contains("--save-baseline"),
            "{said}"
        );
        let broken = dir.path().join("x/new-1/sample.json");
        fs::create_dir_all(broken.parent().unwrap()).unwrap();
        for text in [
            r#"{"iters":[1.0],"times":[]}"#,
            r#"{"iters":[],"times":[]}"#,
            "{",
        ] {
            fs::write(&broken, text).unwrap();
            let said = refused("main-1", "new-1");
            assert!(said.starts_with(&broken.display().to_string()), "{said}");
        }
        let nowhere = read(&dir.path().join("nowhere"), &[], &[])
            .unwrap_err()
            .to_string();
        assert!(nowhere.contains("cannot read"), "{nowhere}");
    }
}
