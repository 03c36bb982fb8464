//! The report of a heatmap: one statistic over a grid of two settings.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use maud::{Markup, html};

use super::charts::{self, Chart, Grid};
use super::export::{self, Picture};
use super::figures::{UNKNOWN, significant};
use super::run::command_line;
use super::{ReportError, page as frame};

/// A cell that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The statistic; none where there were too few samples for it.
    pub value: Option<f64>,
    /// Its folder, relative to the heatmap's; its own report is in there.
    pub folder: String,
}

/// What a heatmap's report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// What it is called.
    pub title: String,
    /// The server.
    pub base_url: String,
    /// When the first cell began.
    pub started_at: Timestamp,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// What goes from left to right, such as `points per request`.
    pub x_label: String,
    /// Its values, in the order given.
    pub xs: Vec<String>,
    /// What goes from top to bottom.
    pub y_label: String,
    /// Its values.
    pub ys: Vec<String>,
    /// The statistic, such as `p99`.
    pub statistic: String,
    /// What it is measured in; empty for counts and shares.
    pub unit: String,
    /// A row a value of `ys`; none where nothing was run.
    pub cells: Vec<Vec<Option<Cell>>>,
    /// Why not all cells are there, if so.
    pub remark: Option<String>,
}

impl Heatmap {
    fn measured(&self) -> String {
        match self.unit.as_str() {
            "" => self.statistic.clone(),
            unit => format!("{} ({unit})", self.statistic),
        }
    }

    fn chart(&self) -> Chart {
        let statistic = self.measured();
        let title = format!(
            "{} by {} and {}",
            self.statistic, self.x_label, self.y_label
        );
        let value = |cell: &Option<Cell>| cell.as_ref()?.value;
        let row = |row: &Vec<Option<Cell>>| row.iter().map(value).collect();
        let cells: Vec<Vec<Option<f64>>> = self.cells.iter().map(row).collect();
        let grid = Grid {
            x_label: &self.x_label,
            xs: &self.xs,
            y_label: &self.y_label,
            ys: &self.ys,
            statistic: &statistic,
            cells: &cells,
        };
        charts::heat(&title, &grid)
    }
}

/// The whole page.
#[must_use]
pub fn page(heatmap: &Heatmap) -> String {
    let cell = |x: usize, y: usize| heatmap.cells.get(y)?.get(x)?.as_ref();
    let body = html! {
        main.run {
            header {
                p.eyebrow { "Heatmap" }
                h1 { (heatmap.title) }
                p.lead { span { (heatmap.measured()) } code { (heatmap.base_url) }
                    span { (heatmap.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
                @if let Some(remark) = &heatmap.remark { p.callout { (remark) } }
            }
            section.heat { (heatmap.chart().figure()) }
            section {
                h2 { "Values" }
                div.scroll tabindex="0" {
                    table.figures.plain {
                        thead { tr { th { (heatmap.y_label) } @for x in &heatmap.xs { th { (heatmap.x_label) " " (x) } } } }
                        tbody {
                            @for (y, label) in heatmap.ys.iter().enumerate() {
                                tr { th { (label) } @for x in 0..heatmap.xs.len() { td { (shown(cell(x, y))) } } }
                            }
                        }
                    }
                }
                p.aside { "Each cell is a run of its own with a folder beside this page. “–”: not measured, \
                    or too few samples for this statistic." }
            }
            section {
                h2 { "Run it again" }
                pre.command { code { (command_line(&heatmap.command)) } }
            }
        }
    };
    frame::document(&format!("Heatmap {}", heatmap.title), &body)
}

/// A value with the way to its run.
fn shown(cell: Option<&Cell>) -> Markup {
    let finite = |cell: &Cell| cell.value.filter(|value| value.is_finite());
    html! {
        @if let Some(cell) = cell {
            a href={ (frame::path(&cell.folder)) "/report.html" } {
                (finite(cell).map_or_else(|| UNKNOWN.to_owned(), significant))
            }
        } @else { (UNKNOWN) }
    }
}

/// Writes the chart into a folder and gives the file's path.
///
/// # Errors
/// When it cannot be written.
pub fn write_charts(
    dir: &Path,
    heatmap: &Heatmap,
    picture: Picture,
) -> Result<Vec<PathBuf>, ReportError> {
    export::write(dir, &[heatmap.chart()], picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Heatmap {
        let labels = |values: &[u32]| values.iter().map(u32::to_string).collect();
        let cell = |x: usize, y: usize| {
            Some(Cell {
                value: (x != 4 || y != 0)
                    .then(|| 0.8 * 2.3_f64.powi(x as i32) * (1.0 + y as f64 * 0.7)),
                folder: format!("{y}-{x}"),
            })
        };
        Heatmap {
            title: "which size pays".to_owned(),
            base_url: "http://127.0.0.1:8000".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            command: vec!["tidemark-bench".to_owned(), "heatmap".to_owned()],
            x_label: "points per request".to_owned(),
            xs: labels(&[1, 10, 50, 100, 500]),
            y_label: "points per fit".to_owned(),
            ys: labels(&[64, 256, 1_024, 4_096]),
            statistic: "p99".to_owned(),
            unit: "ms".to_owned(),
            cells: (0..4)
                .map(|y| (0..5).map(|x| cell(x, y)).collect())
                .collect(),
            remark: None,
        }
    }

    #[test]
    fn values_stand_in_cells_and_none_is_a_dash() {
        let page = page(&sample());
        assert_eq!(page.matches("class=\"cell ").count(), 20);
        assert_eq!(page.matches("class=\"cell heat-none\"").count(), 1);
        assert!(page.contains(">0.80</text>") && page.contains("p99 (ms)"));
        assert!(page.contains("points per request 500, points per fit 64: –"));
    }

    #[test]
    fn holes_and_hostile_names_do_no_harm() {
        let mut heatmap = sample();
        heatmap.title = "<script>".to_owned();
        let of = |value| {
            Some(Cell {
                value: Some(value),
                folder: "\"<b>:".to_owned(),
            })
        };
        heatmap.cells = vec![vec![of(f64::NAN)], vec![], vec![of(f64::INFINITY), of(3.0)]];
        let ragged = page(&heatmap);
        assert!(!ragged.contains("<script") && !ragged.contains("<b>"));
        let chart = ragged.split("<svg").nth(1).unwrap();
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
        heatmap.cells.clear();
        assert!(page(&heatmap).contains("nothing measured"));
        heatmap.xs.clear();
        heatmap.ys.clear();
        assert!(page(&heatmap).contains("nothing measured"));
    }

    #[test]
    fn the_picture_has_the_name_that_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let paths = write_charts(dir.path(), &sample(), Picture::Svg).unwrap();
        assert_eq!(paths, [dir.path().join("heatmap.svg")]);
        assert!(
            std::fs::read_to_string(&paths[0])
                .unwrap()
                .contains("heat-8")
        );
    }
}
