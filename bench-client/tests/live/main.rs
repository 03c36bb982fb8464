//! The live display, sweeps and heatmaps as their user sees them: the real binary against the
//! built-in stub, in a terminal and without one.
#![cfg(unix)]

mod process;

use rustix::process::Signal;
use serde_json::json;

use self::process::{run_in_terminal, start, stub};

/// Long enough for a frame, which comes every half second.
const SHORT: [&str; 4] = [
    "--clients=2",
    "--duration=2s",
    "--series=2",
    "--show=tail=max",
];

#[test]
fn a_terminal_shows_every_group_and_is_left_as_it_was() {
    let stub = stub();
    let (run, shown) = run_in_terminal(&stub.url, &SHORT, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for text in [
        "2 clients",
        "Throughput",
        "First",
        "Last",
        "Points",
        "Errors",
        "Server",
        "Client",
        "Shown",
        "tail",
        " of 2.0 s",
    ] {
        assert!(shown.contains(text), "no {text:?}: {shown:?}");
    }
    assert!(shown.contains("\x1b[1m"), "styles: {shown:?}");
    assert!(!shown.contains("\x1b[?"), "no mode is changed: {shown:?}");
    assert!(shown.ends_with("\r\x1b[J"), "cleared at the end: {shown:?}");
    assert!(!run.stdout.contains('\x1b'), "nothing of it in the results");
}

#[test]
fn no_color_and_dumb_terminals_are_respected() {
    let stub = stub();
    let (_, plain) = run_in_terminal(&stub.url, &SHORT, &[("NO_COLOR", "1")]);
    assert!(plain.contains("Throughput"), "{plain:?}");
    let styles = |text: &str| {
        text.split("\x1b[").skip(1).any(|code| {
            code.trim_start_matches(|c: char| c.is_ascii_digit())
                .starts_with('m')
        })
    };
    assert!(!styles(&plain), "{plain:?}");
    let (run, dumb) = run_in_terminal(&stub.url, &SHORT, &[("TERM", "dumb")]);
    assert_eq!((run.code, dumb.as_str()), (Some(0), ""));
}

#[test]
fn a_sweep_has_a_folder_a_level_and_a_row_a_level() {
    let stub = stub();
    let flags = [
        "--clients=1,2,4",
        "--requests-per-client=6",
        "--pause=0s",
        "--series=2",
    ];
    let sweep = start("sweep", &stub.url, &flags).wait();
    assert_eq!(sweep.code, Some(0), "{}", sweep.stderr);
    assert_eq!(
        sweep.files()[..3],
        ["00001-clients", "00002-clients", "00004-clients"]
    );
    let file = sweep.valid_json("sweep.json", "sweep.schema.json");
    let rows = file["levels"].as_array().unwrap();
    for (row, (clients, requests)) in rows.iter().zip([(1, 10), (2, 12), (4, 24)]) {
        assert_eq!(row["clients"], clients);
        assert_eq!(row["headline"]["requests"], requests);
        let folder = row["folder"].as_str().unwrap();
        let own = sweep.json(&format!("{folder}/run_config.json"));
        assert_eq!(
            own["load"]["pace"],
            json!({"loop": "closed", "clients": clients})
        );
        let stats = sweep.json(&format!("{folder}/stats.json"));
        assert_eq!(
            stats["requests"], requests,
            "its own responses and no others"
        );
    }
    assert_eq!(
        sweep.stderr,
        "1 client: raised to 10 requests a client; a level has at least 10 requests\n"
    );
    let begins: Vec<_> = sweep
        .stdout
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        // A busy machine may have something to say against a level.
        .filter(|word| *word != "not")
        .collect();
    assert_eq!(
        begins,
        [
            "sweep", "requests", "1", "2", "4", "knee:", "sweep:", "report:"
        ],
        "a table without anything between its rows: {}",
        sweep.stdout
    );
    assert!(sweep.stdout.contains("(seed 7)"), "{}", sweep.stdout);
}

#[test]
fn an_interrupted_sweep_keeps_its_finished_levels() {
    let stub = stub();
    let flags = [
        "--clients=1,2,4",
        "--duration=600s",
        "--pause=0s",
        "--series=2",
    ];
    let sweep = start("sweep", &stub.url, &flags);
    sweep.wait_for("00001-clients/responses.jsonl");
    sweep.signal(Signal::INT);
    let sweep = sweep.wait();
    assert_eq!(sweep.code, Some(130), "{}", sweep.stderr);
    let file = sweep.valid_json("sweep.json", "sweep.schema.json");
    assert_eq!(file["interrupted"], true);
    assert_eq!(file["planned"].as_array().unwrap().len(), 3);
    assert_eq!(file["levels"].as_array().unwrap().len(), 1);
    assert_eq!(file["levels"][0]["interrupted"], true);
    assert_eq!(
        sweep.json("00001-clients/summary.json")["interrupted"],
        true
    );
}

#[test]
fn a_sweep_of_rates_is_an_open_loop() {
    let stub = stub();
    let flags = [
        "--rates=50/s,100/s",
        "--duration=400ms",
        "--pause=0s",
        "--workload=health",
    ];
    let sweep = start("sweep", &stub.url, &flags).wait();
    assert_eq!(sweep.code, Some(0), "{}", sweep.stderr);
    let own = sweep.json("00100-rps/run_config.json");
    assert_eq!(
        own["load"]["pace"]["arrivals"],
        json!({"process": "constant", "per_s": 100.0})
    );
    assert_eq!(sweep.json("00050-rps/stats.json")["requests"], 20);
}

#[test]
fn a_heatmap_has_a_run_a_cell_and_a_table() {
    let stub = stub();
    let flags = [
        "--points-per-fit=5,50",
        "--batch=1,3",
        "--requests=20",
        "--clients=2",
        "--series=2",
        "--pause=0s",
        "--stat=points_out",
    ];
    let heatmap = start("heatmap", &stub.url, &flags).wait();
    assert_eq!(heatmap.code, Some(0), "{}", heatmap.stderr);
    let file = heatmap.valid_json("heatmap.json", "heatmap.schema.json");
    let cells = file["cells"].as_array().unwrap();
    let values: Vec<_> = cells
        .iter()
        .map(|cell| cell["value"].as_f64().unwrap())
        .collect();
    assert_eq!(
        values,
        [20.0, 60.0, 20.0, 60.0],
        "20 requests of 1 or 3 points"
    );
    let own = heatmap.json("0000050-points-0000003-batch/run_config.json");
    assert_eq!(own["workload"]["points_per_fit"], 50);
    assert_eq!(own["workload"]["batch"], 3);
    let table = std::fs::read_to_string(heatmap.out.join("heatmap.csv")).unwrap();
    assert_eq!(table.lines().count(), 5);
    assert!(table.contains("\n50,3,points_out,60,,20,0,false,0000050-points-0000003-batch\n"));
}

#[test]
fn a_server_that_is_not_there_leaves_no_folder() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    for (command, flag) in [("sweep", "--clients=1,2"), ("heatmap", "--batch=1,2")] {
        let failed = start(command, &url, &[flag]).wait();
        assert_eq!(failed.code, Some(1));
        assert!(failed.stderr.contains("cannot reach"), "{}", failed.stderr);
        assert!(!failed.out.exists(), "{command}");
    }
}

#[test]
fn prices_reach_the_saved_results() {
    let stub = stub();
    let flags = [
        "--requests=50",
        "--series=2",
        "--cost-per-million-points=2",
        "--currency=EUR",
    ];
    let run = start("run", &stub.url, &flags).wait();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for file in ["summary.json", "stats.json"] {
        let cost = &run.json(file)["contributed"]["cost"];
        assert_eq!(cost["model"]["currency"], "EUR", "{file}");
        assert_eq!(cost["total"], 0.0001, "{file}: 50 points at 2 a million");
    }
}
