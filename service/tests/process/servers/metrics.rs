//! The metrics as promtool judges them.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::binary::Tidemark;
use crate::dashboard;
use crate::http::once;

/// What promtool has against a text of metrics.
fn judge(text: &str) -> Result<(), String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool: apt-get install prometheus");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn told(addr: SocketAddr) -> String {
    let reply = once(addr, "GET", "/metrics", b"").expect("it listens");
    assert_eq!(reply.status, 200);
    reply.text().to_owned()
}

#[test]
fn promtool_has_nothing_against_the_metrics() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &["--health-addr", "127.0.0.1:0"]);
    dashboard::work(server.addr);
    for addr in [server.addr, server.health()] {
        assert_eq!(judge(&told(addr)), Ok(()));
    }
    // The control: a counter that is not called one, and a line that is none.
    let text = told(server.addr);
    let renamed = text.replace("tidemark_refusals_total", "tidemark_refusals");
    for odd in [renamed, text + "tidemark_ready one\n"] {
        assert!(judge(&odd).is_err());
    }
    server.stop();
}
