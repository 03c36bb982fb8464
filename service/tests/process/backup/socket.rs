//! The control socket: who may use it, and that it holds up neither commits nor a stop.

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::super::binary::Tidemark;
use super::super::http::once;
use super::{back_up, refused, succeeded};

const REQUEST: &[u8] = b"{\"protocol\":1,\"command\":\"backup\"}\n";

fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

fn fit(server: &Tidemark, series: &str, n: usize) {
    // Noise, which does not compress, of each series its own, since repeats do.
    let seed = series.bytes().fold(n as u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..n).map(|_| random.random()).collect();
    let timestamps: Vec<usize> = (0..n).collect();
    let body = json!({"timestamps": timestamps, "values": values, "model": "gaussian"});
    let target = format!("/fit/{series}");
    let reply = once(server.addr, "POST", &target, body.to_string().as_bytes()).expect("a reply");
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// What comes back of a request, to its end.
fn ask(data_dir: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(data_dir)).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it answers");
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn the_socket_is_its_owners_and_goes_with_the_server() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = socket(folder.path());
    let server = Tidemark::start(folder.path(), &[]);
    let found = path.metadata().expect("it is there");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert!(ask(folder.path(), b"GET / HTTP/1.1\r\n\r\n").contains("is not understood"));
    let later = br#"{"protocol":9,"command":"backup"}"#;
    let refusal = ask(folder.path(), &[&later[..], b"\n"].concat());
    assert!(refusal.contains("protocol 9"), "{refusal}");
    server.stop();
    assert!(!path.exists());

    // One that is left over is replaced.
    drop(UnixListener::bind(&path).expect("the name is free"));
    let server = Tidemark::start(folder.path(), &[]);
    succeeded(back_up(folder.path(), &folder.path().join("file")));
    server.kill_9();
    // And without a server it is not asked.
    let told = succeeded(back_up(folder.path(), &folder.path().join("file-2")));
    assert!(told.output.contains("no server runs"), "{told:?}");
}

#[test]
fn a_path_that_is_too_long_costs_the_socket_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data_dir = folder.path().join("x".repeat(120));
    let server = Tidemark::start(&data_dir, &[]);
    fit(&server, "s", 5);
    let log = server.log();
    assert!(log.contains("there is no control socket"), "{log}");
    let file = folder.path().join("file");
    refused(&back_up(&data_dir, &file), "its log says why");
    assert!(!file.exists());
    server.stop();
    let told = succeeded(back_up(&data_dir, &file)).output;
    assert!(told.contains("1 series, 1 versions"), "{told}");
}

#[test]
fn a_peer_that_does_not_read_holds_up_no_commit_no_stop_and_no_later_backup() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = |name: &str| folder.path().join(name);
    let server = Tidemark::start(folder.path(), &[]);
    // More than the buffers of a socket take.
    for i in 0..80 {
        fit(&server, &format!("s-{i}"), 4_000);
    }
    let silent = || {
        let mut stream = UnixStream::connect(socket(folder.path())).expect("it listens");
        stream.write_all(REQUEST).expect("it reads");
        let mut first = [0; 1];
        stream.read_exact(&mut first).expect("it has begun");
        stream
    };
    let stream = silent();
    refused(
        &back_up(folder.path(), &file("second")),
        "another backup is under way",
    );
    assert!(!file("second").exists());
    for i in 0..20 {
        fit(&server, &format!("s-{i}"), 4_000);
    }
    // Who goes ends it.
    drop(stream);
    let gone = Instant::now();
    loop {
        let ended = back_up(folder.path(), &file("third"));
        if ended.status.success() {
            break;
        }
        refused(&ended, "another backup is under way");
        assert!(gone.elapsed() < Duration::from_secs(30), "it is not ended");
    }
    let mut stream = silent();
    let begun = Instant::now();
    server.stop();
    // Its limit is a second; the rest is for a busy machine. The peer's own limit would be a minute.
    assert!(begun.elapsed() < Duration::from_secs(30));
    let mut rest = Vec::new();
    stream
        .read_to_end(&mut rest)
        .expect("what was sent is there");
    assert_ne!(
        rest.last_chunk::<5>(),
        Some(b"z\0\0\0\0"),
        "it is no whole backup"
    );
}
