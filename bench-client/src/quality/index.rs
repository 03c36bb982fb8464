//! The list of series: a CSV file with a line for each.
//!
//! Columns `file`, `dataset`, `train_len` and `step_s` must be there; `n`, `series`, `tsb_file`,
//! `tsb_from` and `tsb_len` are read where they are; all others are passed over.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::columns::{Columns, field, line};
use super::error::QualityError;

/// One series of the index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexEntry {
    /// Path of the series, from the data folder.
    pub file: String,
    /// Dataset the series belongs to.
    pub dataset: String,
    /// Name by which the NAB windows know the series; empty where there is none.
    pub series: String,
    /// Rows to fit on, from the first.
    pub train_len: usize,
    /// Seconds between two rows.
    pub step_s: f64,
    /// The rows VUS-PR is taken over, where that is not the whole series.
    pub slice: Option<Range<usize>>,
    /// Rows the series should have, where the index says so.
    rows: Option<usize>,
    line: u64,
}

/// Reads the index, and of it the datasets asked for (none: all).
///
/// # Errors
/// A file that cannot be read, a column or a number that is missing, a dataset that is not there.
pub fn read(path: &Path, datasets: &[String]) -> Result<Vec<IndexEntry>, QualityError> {
    let file = std::fs::File::open(path).map_err(QualityError::read(path))?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    let columns = Columns::of(path, &mut reader)?;
    let [file, dataset, train_len, step_s] = [
        columns.required("file")?,
        columns.required("dataset")?,
        columns.required("train_len")?,
        columns.required("step_s")?,
    ];
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| QualityError::csv(path, error))?;
        let text = |name: &str| {
            let column = columns.optional(name)?;
            Some((column, field(&record, column))).filter(|(_, text)| !text.is_empty())
        };
        let count = |name: &str| {
            text(name)
                .map(|(column, _)| columns.parse::<usize>(&record, column, "a number of rows"))
                .transpose()
        };
        let step: f64 = columns.parse(&record, step_s, "seconds")?;
        if !(step > 0.0 && step.is_finite()) {
            return Err(columns.wrong(&record, step_s, field(&record, step_s), "seconds above 0"));
        }
        let name = field(&record, file);
        if !is_inside(Path::new(name)) {
            return Err(columns.wrong(&record, file, name, "a path inside the data folder"));
        }
        let slice = match text("tsb_file") {
            None => None,
            Some(_) => {
                let (from, len) = (count("tsb_from")?, count("tsb_len")?);
                let slice = from.zip(len).and_then(|(from, len)| {
                    let end = from.checked_add(len)?;
                    Some(from..end)
                });
                Some(slice.ok_or_else(|| {
                    let reason = "tsb_file without a tsb_from and tsb_len that can be used";
                    QualityError::line(path, line(&record), reason)
                })?)
            }
        };
        entries.push(IndexEntry {
            file: name.to_owned(),
            dataset: field(&record, dataset).to_owned(),
            series: text("series").map_or_else(String::new, |(_, text)| text.to_owned()),
            train_len: columns.parse(&record, train_len, "a number of rows")?,
            step_s: step,
            slice,
            rows: count("n")?,
            line: line(&record),
        });
    }
    select(path, entries, datasets)
}

impl IndexEntry {
    /// Line in the index, counted from 1: no two entries have the same.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Checks what the index says against the rows that were read.
    ///
    /// # Errors
    /// The line of the index that does not agree.
    pub fn check(&self, index: &Path, rows: usize) -> Result<(), QualityError> {
        let error = |reason| Err(QualityError::line(index, self.line, reason));
        let file = &self.file;
        if let Some(expected) = self.rows.filter(|&expected| expected != rows) {
            return error(format!("n is {expected}, but {file} has {rows} rows"));
        }
        if self.train_len > rows {
            let train_len = self.train_len;
            return error(format!(
                "train_len is {train_len}, but {file} has {rows} rows"
            ));
        }
        match &self.slice {
            Some(slice) if slice.end > rows => error(format!(
                "tsb_from and tsb_len end at row {}, but {file} has {rows} rows",
                slice.end
            )),
            _ => Ok(()),
        }
    }
}

/// Results are written under the same path: it must not lead out of the folder.
fn is_inside(path: &Path) -> bool {
    use std::path::Component;
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    path.file_name().is_some() && path.components().all(is_plain)
}

fn select(
    path: &Path,
    entries: Vec<IndexEntry>,
    datasets: &[String],
) -> Result<Vec<IndexEntry>, QualityError> {
    if entries.is_empty() {
        let path: PathBuf = path.to_owned();
        return Err(QualityError::Empty { path });
    }
    for dataset in datasets {
        if !entries.iter().any(|entry| entry.dataset == *dataset) {
            let mut present: Vec<&str> = entries.iter().map(|entry| &*entry.dataset).collect();
            present.sort_unstable();
            present.dedup();
            return Err(QualityError::NoSuchDataset {
                path: path.to_owned(),
                dataset: dataset.clone(),
                present: present.join(", "),
            });
        }
    }
    let is_wanted = |entry: &IndexEntry| datasets.is_empty() || datasets.contains(&entry.dataset);
    Ok(entries.into_iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(lines: &str) -> Result<Vec<IndexEntry>, QualityError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.csv");
        let header = "file,dataset,train_len,step_s,tsb_file,tsb_from,tsb_len";
        std::fs::write(&path, format!("{header}\n{lines}\n")).unwrap();
        read(&path, &[])
    }

    #[test]
    fn a_slice_is_read_where_it_is_named_and_checked_against_the_rows() {
        let entries = index("a.csv,A,10,60,,5,7\nb.csv,A,10,0.5,b_1.csv,5,7").unwrap();
        assert_eq!(
            (&entries[0].slice, &entries[1].slice),
            (&None, &Some(5..12))
        );
        assert_eq!((entries[1].step_s, &*entries[1].series), (0.5, ""));
        let path = Path::new("index.csv");
        assert!(entries[1].check(path, 12).is_ok());
        let error = entries[1].check(path, 11).unwrap_err().to_string();
        assert_eq!(
            error,
            "index.csv, line 3: tsb_from and tsb_len end at row 12, but b.csv has 11 rows"
        );
    }

    #[test]
    fn a_slice_without_its_numbers_is_an_error() {
        for slice in ["x.csv,,7", "x.csv,5,", "x.csv,5,18446744073709551615"] {
            let error = index(&format!("a.csv,A,10,60,{slice}")).unwrap_err();
            assert!(
                error.to_string().contains("line 2: tsb_file without"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_an_error() {
        for file in ["/etc/a.csv", "../a.csv", "a/../../b.csv", "", "."] {
            assert!(index(&format!("{file},A,10,60,,,")).is_err(), "{file}");
        }
        assert!(index("./a/b.csv,A,10,60,,,").is_ok());
    }
}
