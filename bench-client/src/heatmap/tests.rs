//! Heatmaps whose runs are made up.

use std::fs;

use super::*;
use crate::interrupt;
use crate::results::config::Bound;
use crate::results::fixture;
use crate::tally::tests::sample_stats;

fn base() -> WorkloadSpec {
    fixture::config(Bound::Requests { n: 10 }).workload
}

/// As many requests as the cell has points.
fn measured(spec: &CellSpec) -> RunData {
    let mut config = fixture::config(Bound::Requests { n: 10 });
    config.workload = spec.workload.clone();
    let stats = sample_stats(u64::from(spec.points_per_fit * spec.batch));
    let summary = fixture::summary(&config, &stats);
    RunData {
        config,
        summary,
        stats,
        timeline: Vec::new(),
    }
}

fn settings(dir: &Path, statistic: &str) -> Settings {
    Settings {
        out: dir.join("heatmap"),
        run_id: "20261125_120000".into(),
        name: Some("sizes".into()),
        command: vec![],
        base_url: "http://127.0.0.1:8000".into(),
        statistic: statistic.parse().unwrap(),
        pause: Duration::ZERO,
    }
}

fn saved(settings: &Settings) -> HeatmapFile {
    serde_json::from_slice(&fs::read(settings.out.join(FILE)).unwrap()).unwrap()
}

#[test]
fn the_grid_is_the_base_workload_but_for_two_sizes() {
    let cells = plan(&base(), &[50, 1_000], &[1, 10, 100]).unwrap();
    let sizes: Vec<_> = cells
        .iter()
        .map(|cell| (cell.points_per_fit, cell.batch))
        .collect();
    assert_eq!(
        sizes,
        [
            (50, 1),
            (50, 10),
            (50, 100),
            (1_000, 1),
            (1_000, 10),
            (1_000, 100)
        ]
    );
    assert_eq!(cells[1].folder, "0000050-points-0000010-batch");
    let expected = WorkloadSpec {
        points_per_fit: 50,
        batch: 10,
        ..base()
    };
    assert_eq!(cells[1].workload, expected);
    let mut folders: Vec<_> = cells.iter().map(|cell| &cell.folder).collect();
    folders.dedup();
    assert_eq!(folders.len(), 6, "each its own");
}

#[test]
fn grids_that_are_none() {
    let twice = GridError::Twice {
        axis: "batch",
        value: 1,
    };
    assert_eq!(plan(&base(), &[50], &[1, 10, 1]), Err(twice));
    assert_eq!(
        plan(&base(), &[], &[1]),
        Err(GridError::Empty("points per fit"))
    );
}

#[test]
fn cells_are_saved_as_json_and_as_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), "points_out");
    let cells = plan(&base(), &[50, 100], &[1, 10]).unwrap();
    let (_handle, stop) = interrupt::manual();
    let mut given = Vec::new();
    let run = |spec: &CellSpec, dir: &Path| {
        given.push(dir.to_owned());
        Ok::<_, String>(measured(spec))
    };
    let heatmap = super::run(&settings, &cells, &stop, run, |_| {}).unwrap();
    assert_eq!(saved(&settings), heatmap, "to the last digit");
    let folders: Vec<_> = cells
        .iter()
        .map(|cell| settings.out.join(&cell.folder))
        .collect();
    assert_eq!(given, folders);
    assert_eq!(
        (&heatmap.points_per_fit[..], &heatmap.batch[..]),
        (&[50, 100][..], &[1, 10][..])
    );
    let value = sample_stats(1_000).points_out as f64;
    assert_eq!(heatmap.cell(100, 10).unwrap().value, Some(value));
    assert_eq!(heatmap.cell(100, 7), None);

    let table = fs::read_to_string(settings.out.join(CSV)).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(&rows[3][0], "100");
    assert_eq!(&rows[3][1], "10");
    assert_eq!(&rows[3][2], "points_out");
    assert_eq!(rows[3][3].parse::<f64>().unwrap(), value);
    assert_eq!(&rows[3][5], "1000");
}

#[test]
fn a_quantile_of_too_few_leaves_its_cell_empty() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), "p99");
    let cells = plan(&base(), &[50], &[1]).unwrap();
    let (_handle, stop) = interrupt::manual();
    let run = |spec: &CellSpec, _: &Path| Ok::<_, String>(measured(spec));
    let heatmap = super::run(&settings, &cells, &stop, run, |_| {}).unwrap();
    assert_eq!(
        (heatmap.cells[0].value, heatmap.cells[0].too_few),
        (None, true)
    );
    assert_eq!(heatmap.unit, "ms");
}

#[test]
fn what_ends_it_early_leaves_the_cells_before() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), "p50");
    let cells = plan(&base(), &[50, 100], &[1, 10]).unwrap();
    let (handle, stop) = interrupt::manual();
    let run = |spec: &CellSpec, _: &Path| {
        if spec.batch == 10 {
            // As the engine does when a signal comes before the first request.
            handle.stop();
            return Err("interrupted before the first request");
        }
        Ok(measured(spec))
    };
    let heatmap = super::run(&settings, &cells, &stop, run, |_| {}).unwrap();
    assert!(heatmap.interrupted);
    assert_eq!(heatmap.error, None);
    assert_eq!(heatmap.cells.len(), 1);
    assert_eq!(saved(&settings), heatmap);
}
