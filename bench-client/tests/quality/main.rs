//! `tidemark-bench quality` as its user runs it: the real binary over a small folder.

mod folder;
mod regression;

use detectors::eval::LabelledScores;
use detectors::eval::average_precision::average_precision;
use detectors::{Params, Series};

use self::folder::{EVENT, Folder, ROWS, TRAIN_LEN, read_rows};

const TWO_MODELS: [&str; 2] = ["--model", "robust,gaussian"];

#[test]
fn prints_a_block_for_each_model_and_each_baseline() {
    let folder = Folder::new();
    let windows = folder.path("windows.json");
    let run = folder.run(&[
        "--model",
        "robust,gaussian",
        "--nab-windows",
        windows.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let heads: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.starts_with("=="))
        .collect();
    let names = [
        "model robust",
        "model gaussian",
        "baseline random score",
        "baseline outside the range so far",
        "baseline windowed Gaussian",
    ];
    assert_eq!(heads.len(), names.len(), "{}", run.stdout);
    for (head, name) in heads.iter().zip(names) {
        assert!(
            head.contains(name) && head.ends_with("alarm rate 1e-3: 4 series, 8000 points"),
            "{head}"
        );
    }
    for model in ["model robust", "model gaussian"] {
        // 50 deviations cannot be missed.
        let nab = run.line(model, "NAB");
        assert_eq!(nab[0], "1");
        assert_eq!(
            nab[2..],
            ["1.000", "1.000", "1.000"],
            "AUC-PR, event-F1 and UCR of one series"
        );
        assert_eq!(run.line(model, "SYN0")[1..], ["–"; 4], "no event");
        // The event begins 50 rows into the window of 111: (1 + σ(−61/111)/σ(−1)) · 50.
        assert_eq!(run.line(model, "standard")[0], "94.58");
        assert_eq!(run.line(model, "standard")[2], "1/1");
    }
    let random = run.line("baseline random score", "NAB");
    assert!(random[2].parse::<f64>().unwrap() < 0.2, "{random:?}");
}

#[test]
fn alarm_rates_are_pooled_by_dataset_and_over_all() {
    let run = Folder::new().run(&["--model", "gaussian"]);
    // A line of the second table starts with normal points and the three ratios.
    let ratios = |block: &str, name: &str| -> (u64, f64) {
        let table = run.stdout.split(&format!(" {block}, mode")).nth(1).unwrap();
        let table = table.split("observed / requested").nth(1).unwrap();
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        let cells: Vec<&str> = line[name.len()..].split_whitespace().collect();
        (cells[0].parse().unwrap(), cells[1].parse().unwrap())
    };
    let normal = (ROWS - TRAIN_LEN) as u64;
    let guarded = normal - 70;
    assert_eq!(ratios("model gaussian", "SYN0+NAB").0, normal + guarded);
    for block in ["model gaussian", "baseline random score"] {
        let (points, ratio) = ratios(block, "SYN0");
        assert_eq!(points, normal);
        assert!((0.4..2.0).contains(&ratio), "{block}: {ratio}");
        assert_eq!(ratios(block, "all").0, normal + 3 * guarded);
    }
}

#[test]
fn a_whole_series_is_measured_beside_the_same_baselines() {
    let folder = Folder::new();
    let windows = folder.path("windows.json");
    let out = folder.path("out");
    let flags = ["--mode", "whole", "--nab-windows"];
    let rest = [windows.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let run = folder.run(&[flags.as_slice(), &rest].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let heads: Vec<&str> = run.stdout.lines().filter(|l| l.starts_with("==")).collect();
    assert!(
        heads[0].contains("== model whole, mode whole,"),
        "{}",
        heads[0]
    );
    assert_eq!(heads.len(), 4, "{}", run.stdout);
    assert_eq!(run.stdout.matches("Constants {").count(), 1, "told once");
    let nab = run.line("model whole", "NAB");
    assert_eq!(
        nab[3..],
        ["1.000", "1.000"],
        "50 deviations cannot be missed"
    );
    // Every row has a score, that which repeats a time included.
    let (_, rows) = read_rows(&out.join("nab/repeated.csv"));
    assert_eq!(rows.len(), ROWS);
    assert_eq!(rows[100][2..], rows[99][2..]);
    let (_, rows) = read_rows(&out.join("own/flat.csv"));
    assert!(rows.iter().all(|row| row[3].parse::<f64>().unwrap() > 0.0));
}

#[test]
fn published_figures_stand_beside_ours() {
    let folder = Folder::new();
    let peers = "split,file,dataset,Weak,Strong\ndev,own/plain.csv,OWN,0.25,0.5\n\
                 dev,nab/repeated.csv,NAB,0.5,0.75\ndev,else/where.csv,X,1,0\n";
    folder.write("peers.csv", peers.as_bytes());
    let path = folder.path("peers.csv");
    let run = folder.run(&["--model", "gaussian", "--peers", path.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let table = run.stdout.split("published series").nth(1).unwrap();
    let row = |name: &str| -> Vec<&str> {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().collect()
    };
    assert_eq!(row("Strong"), ["0.625", "0.625", "2"]);
    assert_eq!(row("Weak"), ["0.375", "0.375", "2"]);
    assert_eq!(row("gaussian")[2], "2");
    assert_eq!(row("random score")[2], "2");
    let place = |name| table.find(name).unwrap();
    assert!(place("Strong") < place("Weak"), "the best first");
}

#[test]
fn a_constant_prefix_is_scored_zero_and_named() {
    let folder = Folder::new();
    let out = folder.path("out");
    let run = folder.run(&["--model", "gaussian", "--out", out.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("1 fits refused"), "{}", run.stdout);
    assert!(
        run.stdout.contains("own/flat.csv: all values are equal"),
        "{}",
        run.stdout
    );
    let (_, rows) = read_rows(&out.join("own/flat.csv"));
    assert_eq!(rows.len(), ROWS);
    assert!(rows.iter().all(|row| row[2] == "0.0" && row[3] == "1.0"));
}

#[test]
fn scores_are_kept_with_all_their_bits_for_every_row() {
    let folder = Folder::new();
    let out = folder.path("out");
    let run = folder.run(&[
        "--model",
        "gaussian",
        "--alarm-rate",
        "0.01",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout
            .contains("nab/repeated.csv: 1 rows not later than the row before"),
        "{}",
        run.stdout
    );

    let (header, rows) = read_rows(&out.join("nab/repeated.csv"));
    assert_eq!(header, ["timestamp", "value", "anomaly_score", "p_value"]);
    assert_eq!(
        rows.len(),
        ROWS,
        "the rows of the fit and the repeated one too"
    );
    let column =
        |i: usize| -> Vec<f64> { rows.iter().map(|row| row[i].parse().unwrap()).collect() };
    let (values, scores, p_values) = (column(1), column(2), column(3));
    let timestamps: Vec<i64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();

    let kept = |i: &usize| *i != 100;
    let (t, v): (Vec<i64>, Vec<f64>) = (0..TRAIN_LEN)
        .filter(kept)
        .map(|i| (timestamps[i], values[i]))
        .unzip();
    let params = Params {
        model: Some("gaussian".to_owned()),
        alarm_rate: Some(0.01),
        ..Params::default()
    };
    let model = params
        .check()
        .unwrap()
        .fit(&Series::new(&t, &v).unwrap())
        .unwrap();
    let mut row = 0;
    model.score_columns(&timestamps, &values, |score| {
        assert_eq!(
            (scores[row], p_values[row]),
            (score.anomaly_score, score.p_value),
            "{row}"
        );
        row += 1;
    });
    assert_eq!(row, ROWS);

    let (header, metrics) = read_rows(&out.join("metrics.csv"));
    assert_eq!(header[..5], ["file", "dataset", "rows", "vus_pr", "auc_pr"]);
    let line = metrics
        .iter()
        .find(|line| line[0] == "nab/repeated.csv")
        .unwrap();
    let labels: Vec<bool> = (0..ROWS)
        .map(|row| (EVENT.0..=EVENT.1).contains(&row))
        .collect();
    let scored = LabelledScores::new(&labels, &scores)
        .unwrap()
        .from(TRAIN_LEN);
    assert_eq!(line[4].parse().ok(), average_precision(scored));
    let no_event = metrics
        .iter()
        .find(|line| line[0] == "syn/zipped.csv.gz")
        .unwrap();
    assert_eq!(no_event[3..7], [""; 4]);
    assert!(
        out.join("syn/zipped.csv").is_file(),
        "results are plain CSV"
    );
}

#[test]
fn several_models_get_a_folder_each() {
    let folder = Folder::new();
    let out = folder.path("out");
    let run = folder.run(
        &[
            &TWO_MODELS[..],
            &["--datasets", "SYN0,NAB", "--out", out.to_str().unwrap()],
        ]
        .concat(),
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for model in ["robust", "gaussian"] {
        assert!(out.join(model).join("syn/zipped.csv").is_file());
        assert!(out.join(model).join("metrics.csv").is_file());
        assert!(!out.join(model).join("own").exists(), "not asked for");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::new();
    let one = folder.run_on(&TWO_MODELS, &[("RAYON_NUM_THREADS", "1")]);
    let four = folder.run_on(&TWO_MODELS, &[("RAYON_NUM_THREADS", "4")]);
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    assert_eq!(one.stdout, four.stdout);
}

#[test]
fn dates_and_seconds_are_the_same_time() {
    let folder = Folder::new();
    let out = folder.path("out");
    folder.run(&["--model", "gaussian", "--out", out.to_str().unwrap()]);
    let (_, rows) = read_rows(&out.join("own/plain.csv"));
    assert_eq!(
        (&*rows[0][0], &*rows[1441][0]),
        ("1704067200", "1704153660")
    );
}

/// What is wrong with the folder, and what the message must say.
#[test]
fn bad_input_is_named_by_file_and_line() {
    type Spoil = fn(&Folder);
    let cases: [(Spoil, &[&str], &[&str]); 18] = [
        (
            |f| std::fs::remove_file(f.path("own/plain.csv")).unwrap(),
            &[],
            &["cannot read", "plain.csv", "No such file"],
        ),
        (
            |f| std::fs::remove_file(f.path("index.csv")).unwrap(),
            &[],
            &["cannot read", "index.csv"],
        ),
        (
            |f| f.edit("index.csv", "train_len", "train"),
            &[],
            &[
                "index.csv, line 1",
                "no column \"train_len\"",
                "file,dataset",
            ],
        ),
        (
            |f| f.edit("index.csv", "600,60", "six,60"),
            &[],
            &["index.csv, line 2", "train_len is \"six\""],
        ),
        (
            |f| f.edit("index.csv", "600,60", "600,0"),
            &[],
            &["index.csv, line 2", "step_s is \"0\""],
        ),
        (
            |f| f.edit("index.csv", "2000,600,60", "1999,600,60"),
            &[],
            &["index.csv, line 2", "n is 1999", "has 2000 rows"],
        ),
        (
            |f| f.edit("index.csv", "2000,600,60", "2000,2001,60"),
            &[],
            &["index.csv, line 2", "train_len is 2001"],
        ),
        (
            |f| f.edit("index.csv", "own/plain.csv", "../plain.csv"),
            &[],
            &["index.csv, line 2", "inside the data folder"],
        ),
        (
            |f| f.edit("index.csv", "\"a, b\"", "a, b"),
            &[],
            &["index.csv, line 2", "8 fields where the header has 7"],
        ),
        (
            |f| f.write("index.csv", b"file,dataset,train_len,step_s\n"),
            &[],
            &["index.csv lists no series"],
        ),
        (
            |f| f.edit("own/plain.csv", "label", "anomaly"),
            &[],
            &["plain.csv, line 1", "no column \"label\""],
        ),
        (
            |f| {
                f.edit(
                    "own/plain.csv",
                    "2024-01-01 00:02:00",
                    "2024-01-01 00:62:00",
                )
            },
            &[],
            &["plain.csv, line 4", "timestamp is"],
        ),
        (
            |f| {
                f.edit(
                    "own/plain.csv",
                    ",0\n2024-01-01 00:01:00,",
                    ",no\n2024-01-01 00:01:00,",
                )
            },
            &[],
            &["plain.csv, line 2", "label is \"no\", expected 0 or 1"],
        ),
        (
            |f| f.edit("own/plain.csv", "00:01:00,", "00:01:00,inf"),
            &[],
            &["plain.csv, line 3", "value is \"inf"],
        ),
        (
            |f| f.write("syn/zipped.csv.gz", b"not gzip"),
            &[],
            &["cannot read", "zipped.csv.gz"],
        ),
        (
            |_| (),
            &["--datasets", "SYN0,XYZ"],
            &["no dataset \"XYZ\"", "NAB, OWN, SYN0"],
        ),
        (
            |_| (),
            &["--model", "oracle"],
            &["model \"oracle\"", "there are"],
        ),
        (
            |_| (),
            &["--mode", "whole", "--model", "robust"],
            &["model \"robust\"", "a whole series"],
        ),
    ];
    for (spoil, flags, words) in cases {
        let folder = Folder::new();
        spoil(&folder);
        let model: &[&str] = if flags.contains(&"--model") {
            &[]
        } else {
            &["--model", "gaussian"]
        };
        let run = folder.run(&[model, flags].concat());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(1), ""),
            "{words:?}: {}",
            run.stderr
        );
        for word in words {
            assert!(
                run.stderr.contains(word),
                "{word:?} is not in {}",
                run.stderr
            );
        }
    }
}

#[test]
fn bad_windows_are_named() {
    for (from, to, word) in [
        (
            "[[\"1700087000\"",
            "[[\"1700087001\"",
            "repeated.csv, scored by gaussian: window 0",
        ),
        ("[[\"1700087000\"", "[[\"noon\"", "windows.json, line 2"),
        ("[[", "[", "windows.json, line 2"),
    ] {
        let folder = Folder::new();
        folder.edit("windows.json", from, to);
        let windows = folder.path("windows.json");
        let run = folder.run(&[
            "--model",
            "gaussian",
            "--nab-windows",
            windows.to_str().unwrap(),
        ]);
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let run = Folder::new().run(&["--via", "http", "--base-url", &address]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    let reason = format!("cannot reach {address}: ");
    assert!(run.stderr.contains(&reason), "{}", run.stderr);
}

#[test]
fn flags_that_cannot_be_used_are_usage_errors() {
    let folder = Folder::new();
    for flags in [
        &["--model", "robust", "--mode", "sometimes"][..],
        &["--model", "robust", "--alarm-rate", "often"],
        &["--via", "http", "--base-url", "127.0.0.1:8000"],
        &["--base-url", "http://127.0.0.1:8000"],
    ] {
        assert_eq!(folder.run(flags).code, Some(2), "{flags:?}");
    }
    let run = folder.run(&["--model", "robust", "--alarm-rate", "2"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("alarm_rate: 2 is out of range"),
        "{}",
        run.stderr
    );
}
