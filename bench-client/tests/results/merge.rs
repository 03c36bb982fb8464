use bench_client::results::load::load;

use super::{folder, printed, refused};

#[test]
fn two_runs_become_one_folder() {
    let temp = tempfile::tempdir().unwrap();
    let (a, b) = (
        folder::write(temp.path(), "a", 300),
        folder::write(temp.path(), "b", 200),
    );
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let out = temp.path().join("both");
    let text = printed(&["merge", a, b, "--out", out.to_str().unwrap()]);
    assert!(text.contains(&format!("merged from {a}, {b}")), "{text}");
    assert!(
        text.contains(&format!("merged: {}", out.display())),
        "{text}"
    );
    let merged = load(&out).unwrap();
    // As `run` leaves them.
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for run in ["20261125_120000_a (300", "20261125_120000_b (200"] {
        assert!(page.contains(run), "{run}");
    }
    assert!(out.join("summary.md").exists());
    assert_eq!(merged.stats.requests, 500);
    assert_eq!(
        merged.stats.sample.last().unwrap().index,
        499,
        "numbers are their own"
    );
    assert_eq!(
        merged.stats.wall_ns,
        load(a.as_ref()).unwrap().stats.wall_ns,
        "one axis"
    );
    let latencies = printed(&[
        "show",
        out.to_str().unwrap(),
        "--index",
        "300-",
        "--stat",
        "requests",
    ]);
    assert!(latencies.trim_end().ends_with("200"), "{latencies}");
}

#[test]
fn a_merge_never_goes_into_a_folder_that_has_a_run() {
    let temp = tempfile::tempdir().unwrap();
    let (a, b) = (
        folder::write(temp.path(), "a", 30),
        folder::write(temp.path(), "b", 20),
    );
    let before = load(&a).unwrap();
    let (a_text, b_text) = (a.to_str().unwrap(), b.to_str().unwrap());
    let (code, error) = refused(&["merge", a_text, b_text, "--out", a_text]);
    assert_eq!(code, 1);
    assert!(error.contains("already has a run in it"), "{error}");
    assert_eq!(load(&a).unwrap(), before);
    assert_eq!(refused(&["merge", a_text, "--out", "x"]).0, 2);
}
