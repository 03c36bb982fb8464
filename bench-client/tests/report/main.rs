//! Reports as their readers meet them: the real binary over folders that the library wrote.

#[path = "../results/folder.rs"]
mod folder;
mod several;

use std::path::Path;
use std::process::{Command, Output};

/// The binary under test, in an environment where no font is to be found.
fn report(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidemark-bench"))
        .arg("report")
        .args(args)
        .env_clear()
        .env("HOME", "/nowhere")
        .output()
        .unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = report(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(args: &[&str]) -> (i32, String) {
    let output = report(args);
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), error)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const CHARTS: [&str; 9] = [
    "latency_boxes",
    "latency_boxes_over_time",
    "latency_by_kind",
    "latency_histogram",
    "latency_over_time",
    "latency_percentiles",
    "outcomes",
    "status_codes",
    "throughput_over_time",
];

#[test]
fn a_run_has_a_page_that_needs_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let dir = folder::write(parent.path(), "run", 500);
    let dir = dir.to_str().unwrap();
    assert_eq!(printed(&[dir]), format!("report: {dir}/report.html\n"));
    let page = std::fs::read_to_string(format!("{dir}/report.html")).unwrap();
    for outside in [
        "<script", "<link", "<img", "src=", "href=", "url(", "@import",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    // 50 of 500 are shed; 450 have a p95 and no p99.
    assert!(page.contains("50 of 500 requests without a 2xx reply (10.0 %)"));
    assert!(page.contains(r#"<p class="label">p99</p><p class="figure few">too few</p>"#));
    assert!(!page.contains(r#"<p class="label">p95</p><p class="figure few">"#));
    assert!(
        page.contains("per_million_points"),
        "what hooks added is there"
    );
}

#[test]
fn the_summary_goes_to_a_file_or_to_standard_output() {
    let parent = tempfile::tempdir().unwrap();
    let dir = folder::write(parent.path(), "run", 500);
    let dir = dir.to_str().unwrap();
    printed(&[dir, "--format", "markdown"]);
    let file = std::fs::read_to_string(format!("{dir}/summary.md")).unwrap();
    assert_eq!(printed(&[dir, "--format", "markdown", "--out", "-"]), file);
    assert!(
        file.starts_with("### nightly\n\n❌ **Invalid measurement. 50 of 500 requests"),
        "{file}"
    );
    assert!(file.contains("| 50 | 5 | too many requests |"), "{file}");
}

/// A fault of another tool: an export that works only with an extra installed.
#[test]
fn pictures_need_nothing_installed() {
    let parent = tempfile::tempdir().unwrap();
    let dir = folder::write(parent.path(), "run", 100);
    let to = parent.path().join("a/new/folder");
    let (dir, to_name) = (dir.to_str().unwrap(), to.to_str().unwrap());
    printed(&[dir, "--format", "png", "--charts", to_name]);
    assert_eq!(names(&to), CHARTS.map(|name| format!("{name}.png")));
    for name in CHARTS {
        let png = std::fs::read(to.join(format!("{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 4_000, "{name}");
    }
    let listed = printed(&[dir, "--format", "svg"]);
    assert_eq!(listed.lines().count(), CHARTS.len());
    for line in listed.lines() {
        let svg = std::fs::read_to_string(line).unwrap();
        assert!(
            svg.starts_with("<svg xmlns=") && !svg.contains("var("),
            "{line}"
        );
    }
}

#[test]
fn a_run_that_was_killed_has_a_page_that_says_so() {
    let parent = tempfile::tempdir().unwrap();
    let dir = folder::write(parent.path(), "run", 300);
    for lost in ["summary.json", "stats.json", "latency.hlog"] {
        std::fs::remove_file(dir.join(lost)).unwrap();
    }
    let responses = dir.join("responses.jsonl");
    let all = std::fs::read_to_string(&responses).unwrap();
    let some: Vec<_> = all.lines().take(200).collect();
    std::fs::write(&responses, some.join("\n") + "\n{\"index\":20").unwrap();
    let page = printed(&[dir.to_str().unwrap(), "--out", "-"]);
    let top = page.split("</header>").next().unwrap();
    assert!(top.contains("put together from the responses"));
    assert!(top.contains("Interrupted: 200 of 300 requests made"));
    assert!(page.contains("20 requests"), "a tenth of them was shed");
}

#[test]
fn what_cannot_be_reported_is_said() {
    let parent = tempfile::tempdir().unwrap();
    let empty = parent.path().to_str().unwrap();
    let (code, error) = refused(&[empty]);
    assert_eq!(code, 1);
    assert!(error.contains("has no run in it"), "{error}");
    let dir = folder::write(parent.path(), "run", 20);
    let dir = dir.to_str().unwrap();
    let (code, error) = refused(&[dir, "--format", "png", "--out", "x.png"]);
    assert_eq!(code, 2);
    assert!(error.contains("--charts DIR"), "{error}");
    let (code, error) = refused(&[dir, "--out", "/nowhere/at/all/x.html"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("cannot write /nowhere/at/all/x.html"),
        "{error}"
    );
}
