//! A folder of labelled series, made by the test, and runs of the binary over it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::cargo::cargo_bin;
use detectors::eval::bootstrap::SplitMix64;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

pub(crate) const TRAIN_LEN: usize = 600;
pub(crate) const ROWS: usize = 2000;
/// First and last row of the event of each series that has one.
pub(crate) const EVENT: (usize, usize) = (1500, 1509);

const HEADER: &str = "file,dataset,series,n,train_len,step_s,remark";

/// Series of four kinds: date-times and plain, gzipped, with a repeated timestamp, constant.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let minute = |row: usize| {
            format!(
                "2024-01-{:02} {:02}:{:02}:00",
                1 + row / 1440,
                row / 60 % 24,
                row % 60
            )
        };
        folder.write(
            "own/plain.csv",
            series(minute, |row| noise(1, row), true).as_bytes(),
        );
        let seconds = |row: usize| (1_700_000_000 + 60 * row).to_string();
        folder.write_gz(
            "syn/zipped.csv.gz",
            &series(seconds, |row| noise(2, row), false),
        );
        // Row 100 repeats the time of row 99.
        let repeated = |row: usize| seconds(if row == 100 { 99 } else { row });
        folder.write(
            "nab/repeated.csv",
            series(repeated, |row| noise(3, row), true).as_bytes(),
        );
        folder.write(
            "own/flat.csv",
            series(seconds, |row| if row < TRAIN_LEN { 7.0 } else { 8.0 }, true).as_bytes(),
        );
        let mut index = format!("{HEADER}\n");
        for (file, dataset) in [
            ("own/plain.csv", "OWN"),
            ("syn/zipped.csv.gz", "SYN0"),
            ("nab/repeated.csv", "NAB"),
            ("own/flat.csv", "OWN"),
        ] {
            let _ = writeln!(
                index,
                "{file},{dataset},group/{dataset}.csv,{ROWS},{TRAIN_LEN},60,\"a, b\""
            );
        }
        folder.write("index.csv", index.as_bytes());
        let time = |row: usize| seconds(row);
        let windows = format!(
            "{{\n\"group/NAB.csv\": [[\"{}\", \"{}\"]],\n\"group/other.csv\": []\n}}",
            time(1450),
            time(1560)
        );
        folder.write("windows.json", windows.as_bytes());
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn write_gz(&self, name: &str, content: &str) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content.as_bytes()).unwrap();
        self.write(name, &encoder.finish().unwrap());
    }

    /// Replaces a text in a file that has it.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {name}");
        self.write(name, text.replacen(from, to, 1).as_bytes());
    }

    /// Runs `tidemark-bench quality` over the folder.
    pub(crate) fn run(&self, flags: &[&str]) -> Finished {
        self.run_on(flags, &[])
    }

    pub(crate) fn run_on(&self, flags: &[&str], environment: &[(&str, &str)]) -> Finished {
        let output = std::process::Command::new(cargo_bin!("tidemark-bench"))
            .arg("quality")
            .arg("--data")
            .arg(self.dir.path())
            .arg("--index")
            .arg(self.path("index.csv"))
            .args(flags)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Finished::from(output)
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Finished {
    /// The cells of the first line of a block that starts with `name`, numbers and all.
    pub(crate) fn line(&self, block: &str, name: &str) -> Vec<String> {
        let head = format!(" {block}, mode ");
        let lines = self.stdout.lines().skip_while(|line| !line.contains(&head));
        let mut lines = lines.skip(1).take_while(|line| !line.starts_with("=="));
        let found = lines.find(|line| line.starts_with(name));
        let found = found.unwrap_or_else(|| panic!("no {name} in {block}:\n{}", self.stdout));
        found[name.len()..]
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }
}

/// The columns of a result file, without the header.
pub(crate) fn read_rows(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect());
    (header, rows.collect())
}

fn series(time: impl Fn(usize) -> String, value: impl Fn(usize) -> f64, has_event: bool) -> String {
    let mut text = String::from("timestamp,value,label\n");
    for row in 0..ROWS {
        let is_event = has_event && (EVENT.0..=EVENT.1).contains(&row);
        let value = value(row) + if is_event { 50.0 } else { 0.0 };
        let _ = writeln!(text, "{},{value},{}", time(row), u8::from(is_event));
    }
    text
}

/// About normal: twelve uniform numbers, less six.
fn noise(seed: u64, row: usize) -> f64 {
    let mut random = SplitMix64::new(seed << 32 | row as u64);
    (0..12).map(|_| random.next_p_value()).sum::<f64>() - 6.0
}
