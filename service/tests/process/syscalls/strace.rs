//! The server under strace.

use std::path::Path;
use std::process::Command;

use super::sync_order::need;
use crate::binary::{program, serve_arguments};

/// `tidemark serve` with what strace is told. The tracer is its grandchild (`-D`), so that signals and exit
/// code are the server's own.
pub(super) fn traced(strace: &[&str], data_dir: &Path, flags: &[&str]) -> Command {
    need("strace", Command::new("strace").arg("-V").output().is_ok());
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-e", "signal=kill"]);
    command.args(strace).arg(program());
    serve_arguments(&mut command, data_dir, flags);
    command
}
