//! Published VUS-PR of other methods on the same series: a CSV file with a column `file` and one for
//! each method; `tsb_file`, `split` and `dataset` are passed over.

use std::collections::BTreeMap;
use std::path::Path;

use super::ScorerResult;
use super::columns::{Columns, field, line};
use super::error::QualityError;

/// Columns that are no method.
const NO_METHODS: [&str; 4] = ["tsb_file", "split", "file", "dataset"];

/// VUS-PR of one method by series; a series it was not published for is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// Name of the method.
    pub name: String,
    /// VUS-PR by the path of the series, without `.gz`.
    pub vus_pr: BTreeMap<String, f64>,
}

/// Reads the published figures.
///
/// # Errors
/// A file that cannot be read, no column `file`, or a figure that is no number.
pub fn read(path: &Path) -> Result<Vec<Peer>, QualityError> {
    let file = std::fs::File::open(path).map_err(QualityError::read(path))?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    let columns = Columns::of(path, &mut reader)?;
    let file = columns.required("file")?;
    let names = columns.names();
    let methods = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !NO_METHODS.contains(&&***name));
    let mut peers: Vec<(usize, Peer)> = methods
        .map(|(column, name)| {
            let (name, vus_pr) = (name.clone(), BTreeMap::new());
            (column, Peer { name, vus_pr })
        })
        .collect();
    for record in reader.records() {
        let record = record.map_err(|error| QualityError::csv(path, error))?;
        let series = key(field(&record, file));
        if series.is_empty() {
            let reason = "file is empty".to_owned();
            return Err(QualityError::line(path, line(&record), reason));
        }
        for (column, peer) in &mut peers {
            if field(&record, *column).is_empty() {
                continue;
            }
            let vus_pr: f64 = columns.parse(&record, *column, "a number")?;
            peer.vus_pr.insert(series.to_owned(), vus_pr);
        }
    }
    Ok(peers.into_iter().map(|(_, peer)| peer).collect())
}

/// A series as the published figures name it.
pub fn key(file: &str) -> &str {
    file.strip_suffix(".gz").unwrap_or(file)
}

/// Published methods listed, the best ones.
const LISTED: usize = 8;

/// How a scorer or a published method stands on the published series.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Of the scorer or method.
    pub name: String,
    /// Mean over the series.
    pub micro: f64,
    /// Mean over the datasets' means.
    pub macro_mean: f64,
    /// Number of series.
    pub series: usize,
}

/// Every scorer and the best published methods, on the series of the run that are published.
pub fn standings(results: &[ScorerResult], peers: &[Peer]) -> Vec<Standing> {
    let is_published = |file: &str| peers.iter().any(|peer| peer.vus_pr.contains_key(key(file)));
    let ours = results.iter().filter_map(|result| {
        let series = result.series.iter().filter(|one| is_published(&one.file));
        let figures = series.filter_map(|one| Some((&*one.dataset, one.metrics.vus_pr?)));
        standing(&result.name, figures)
    });
    let files: Vec<(&str, &str)> = results.first().map_or_else(Vec::new, |result| {
        let series = result.series.iter();
        series.map(|one| (key(&one.file), &*one.dataset)).collect()
    });
    let mut others: Vec<Standing> = peers
        .iter()
        .filter_map(|peer| {
            let figures = files.iter().filter_map(|(file, dataset)| {
                peer.vus_pr.get(*file).map(|vus_pr| (*dataset, *vus_pr))
            });
            standing(&peer.name, figures)
        })
        .collect();
    others.sort_by(|a, b| b.micro.total_cmp(&a.micro));
    others.truncate(LISTED);
    ours.chain(others).collect()
}

fn standing<'a>(name: &str, figures: impl Iterator<Item = (&'a str, f64)>) -> Option<Standing> {
    let mut datasets: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (dataset, figure) in figures {
        let (sum, series) = datasets.entry(dataset).or_default();
        *sum += figure;
        *series += 1;
    }
    let series: usize = datasets.values().map(|(_, series)| series).sum();
    let sum: f64 = datasets.values().map(|(sum, _)| sum).sum();
    let means: f64 = datasets.values().map(|(sum, n)| sum / *n as f64).sum();
    (series > 0).then(|| Standing {
        name: name.to_owned(),
        micro: sum / series as f64,
        macro_mean: means / datasets.len() as f64,
        series,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Peer>, QualityError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers.csv");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_method_is_a_column() {
        let peers = read_text("tsb_file,split,file,dataset,A,B\n1,dev,x/a.csv,X,0.5,\n").unwrap();
        let names: Vec<&str> = peers.iter().map(|peer| &*peer.name).collect();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(peers[0].vus_pr.get(key("x/a.csv.gz")), Some(&0.5));
        assert!(peers[1].vus_pr.is_empty());
    }

    #[test]
    fn micro_weighs_series_and_macro_datasets() {
        let figures = [("A", 1.0), ("A", 0.5), ("B", 0.0)];
        let found = standing("x", figures.into_iter()).unwrap();
        assert_eq!(
            (found.micro, found.macro_mean, found.series),
            (0.5, 0.375, 3)
        );
        assert_eq!(standing("x", std::iter::empty()), None);
    }

    #[test]
    fn what_is_no_number_is_named_with_its_line() {
        let error = read_text("file,A\nx.csv,0.5\ny.csv,much\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"much\"") && text.contains('3'), "{text}");
        assert!(read_text("A,B\n").unwrap_err().to_string().contains("file"));
    }
}
