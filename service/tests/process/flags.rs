//! The command line: what is printed, what is refused, and in which words.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use super::binary::{Tidemark, run, serve};
use super::http::once;

fn tidemark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.args(arguments);
    command
}

#[test]
fn a_free_port_is_taken_and_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(&folder.path().join("made/by/it"), &[]);
    assert!(server.addr.ip().is_loopback() && server.addr.port() != 0);
    let reply = once(server.addr, "GET", "/health/ready", b"").expect("it listens");
    assert_eq!(reply.status, 200);
    let started = once(server.addr, "GET", "/health/startup", b"").expect("it listens");
    assert_eq!(
        (started.status, started.text()),
        (200, r#"{"status":"started"}"#)
    );
    server.stop();
}

#[test]
fn bad_flags_exit_with_2_and_a_sentence() {
    let cases: [(&[&str], &str); 12] = [
        (&[], "Usage"),
        (&["surf"], "surf"),
        (&["serve", "--nope"], "--nope"),
        (&["serve", "extra"], "extra"),
        (&["serve", "--addr", "nonsense"], "--addr"),
        (&["serve", "--addr", "127.0.0.1:99999"], "--addr"),
        (&["serve", "--max-body", "much"], "512MiB"),
        (&["serve", "--drain-delay", "5"], "500ms"),
        (&["serve", "--drain-timeout=-1s"], "not negative"),
        (
            &["serve", "--min-training-points", "2"],
            "at least 3 points",
        ),
        (&["serve", "--log-format", "xml"], "xml"),
        (&["serve", "--log-filter", "debgu"], "TARGET=LEVEL"),
    ];
    for (arguments, words) in cases {
        let ended = run(&mut tidemark(arguments));
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(
            ended.errors.contains(words),
            "{arguments:?}: {}",
            ended.errors
        );
        assert_eq!(ended.output, "", "stdout is for the address");
    }
}

#[test]
fn bad_environment_variables_are_refused_alike() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = serve(folder.path(), &[]);
    let ended = run(command.env("TIDEMARK_MODEL_CACHE", "plenty"));
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.errors.contains("--model-cache"), "{}", ended.errors);
}

#[test]
fn help_and_version_go_to_stdout() {
    for (arguments, words) in [
        (&["--help"][..], "serve"),
        (&["serve", "--help"], "--data-dir"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ended = run(&mut tidemark(arguments));
        assert!(
            ended.status.success() && ended.output.contains(words),
            "{ended:?}"
        );
    }
}

#[test]
fn a_public_address_needs_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("data");
    let public = |flags: &[&str]| {
        let mut command = tidemark(&["serve", "--addr", "192.0.2.1:8000", "--data-dir"]);
        run(command.arg(&data).args(flags))
    };
    let refused = public(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.errors.contains("--insecure"), "{}", refused.errors);
    assert!(!data.exists(), "it refuses before it touches anything");
    // RFC 5737 keeps this address from being anybody's: what is left to fail is the bind.
    let allowed = public(&["--insecure"]);
    assert_eq!(allowed.status.code(), Some(1));
    assert!(
        allowed.errors.contains("cannot listen on 192.0.2.1:8000"),
        "{}",
        allowed.errors
    );
}

/// Probes and metrics show no series and change nothing.
#[test]
fn a_public_address_for_probes_needs_no_word() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ended = run(&mut serve(
        folder.path(),
        &["--health-addr", "192.0.2.1:8001"],
    ));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let words = "cannot listen on 192.0.2.1:8001";
    assert!(ended.errors.contains(words), "{}", ended.errors);
}

#[test]
fn a_store_has_one_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let first = Tidemark::start(folder.path(), &[]);
    let second = run(&mut serve(folder.path(), &[]));
    assert_eq!(second.status.code(), Some(1));
    let words = "another process has the store";
    assert!(second.errors.contains(words), "{}", second.errors);
    assert!(!second.output.contains("listening"), "{}", second.output);
    let reply = once(first.addr, "GET", "/health/ready", b"").expect("it listens");
    assert_eq!(reply.status, 200, "the first one is not disturbed");
    first.stop();
    Tidemark::start(folder.path(), &[]).stop();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").expect("a file can be written");
    let ended = run(&mut serve(&file.join("data"), &[]));
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.errors.contains("cannot open the store"),
        "{}",
        ended.errors
    );
    assert!(ended.errors.contains("file/data"), "{}", ended.errors);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
    let addr = taken.local_addr().expect("it is bound").to_string();
    let mut command = tidemark(&["serve", "--addr", &addr, "--data-dir"]);
    let ended = run(command.arg(folder.path()));
    assert_eq!(ended.status.code(), Some(1));
    let words = format!("cannot listen on {addr}");
    assert!(ended.errors.contains(&words), "{}", ended.errors);
}

#[test]
fn probe_asks_a_running_server() {
    let probe = |addr: SocketAddr, more: &[&str]| {
        run(tidemark(&["probe", "--addr", &addr.to_string()]).args(more))
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &[]);
    assert!(probe(server.addr, &[]).status.success());
    assert!(
        probe(server.addr, &["--path", "/health/live"])
            .status
            .success()
    );
    let nowhere = probe(server.addr, &["--path", "/nowhere"]);
    assert!(
        !nowhere.status.success() && nowhere.errors.contains("404"),
        "{nowhere:?}"
    );
    let addr = server.addr;
    server.stop();
    assert!(!probe(addr, &[]).status.success());
}
