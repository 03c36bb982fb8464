//! Published figures of VUS-PR to stand beside ours, from a CSV file: column `file` as in the index (with
//! or without `.gz`), and a column of numbers a method. Columns that hold anything else are passed over.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::SeriesResult;
use super::columns::{Columns, field};
use super::error::QualityError;

/// Methods told beside ours, the best ones.
const TOLD: usize = 3;

/// VUS-PR of methods by series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    methods: Vec<String>,
    /// A number for every method.
    by_file: BTreeMap<String, Vec<f64>>,
}

/// Reads the figures.
///
/// # Errors
/// A file that cannot be read, or without a column `file`.
pub fn read(path: &Path) -> Result<Published, QualityError> {
    let file = std::fs::File::open(path).map_err(QualityError::read(path))?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    let name = Columns::of(path, &mut reader)?.required("file")?;
    let header = reader.headers().cloned().unwrap_or_default();
    let records = reader.records().collect::<Result<Vec<_>, _>>();
    let records = records.map_err(|error| QualityError::csv(path, error))?;
    let is_number = |column: usize| {
        let mut fields = records.iter().map(|record| field(record, column));
        fields.all(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
    };
    let columns: Vec<usize> = (0..header.len()).filter(|c| is_number(*c)).collect();
    let figures = |record: &csv::StringRecord| -> Vec<f64> {
        let figures = columns.iter().map(|column| field(record, *column).parse());
        figures.flatten().collect()
    };
    Ok(Published {
        methods: columns
            .iter()
            .map(|column| header[*column].trim().to_owned())
            .collect(),
        by_file: records
            .iter()
            .map(|record| (plain(field(record, name)).to_owned(), figures(record)))
            .collect(),
    })
}

fn plain(file: &str) -> &str {
    file.strip_suffix(".gz").unwrap_or(file)
}

/// A series that has figures.
struct Shared<'a> {
    dataset: &'a str,
    ours: f64,
    published: &'a [f64],
}

impl Published {
    /// A sentence: our means on the series that have figures, and those of the best methods on the same.
    pub fn beside(&self, ours: &[SeriesResult]) -> String {
        let shared: Vec<Shared<'_>> = ours
            .iter()
            .filter_map(|one| {
                Some(Shared {
                    dataset: &one.dataset,
                    ours: one.metrics.vus_pr?,
                    published: self.by_file.get(plain(&one.file))?,
                })
            })
            .collect();
        if shared.is_empty() {
            return "no series has published figures".to_owned();
        }
        let means = |figure: &dyn Fn(&Shared<'_>) -> f64| {
            let mut datasets: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for one in &shared {
                datasets.entry(one.dataset).or_default().push(figure(one));
            }
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let all: Vec<f64> = datasets.values().flatten().copied().collect();
            let of_datasets: Vec<f64> = datasets.values().map(|values| mean(values)).collect();
            (mean(&all), mean(&of_datasets))
        };
        let mut methods: Vec<(&str, (f64, f64))> = (0..self.methods.len())
            .map(|method| (&*self.methods[method], means(&|one| one.published[method])))
            .collect();
        methods.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
        let (micro, macro_mean) = means(&|one| one.ours);
        let mut text = format!(
            "VUS-PR micro / macro on the {} series with published figures: {micro:.3} / {macro_mean:.3}",
            shared.len()
        );
        for (name, (micro, macro_mean)) in methods.into_iter().take(TOLD) {
            let _ = write!(text, "; {name} {micro:.3} / {macro_mean:.3}");
        }
        text
    }
}
