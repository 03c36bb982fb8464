//! Commands with pipes, or in a terminal.

#[path = "../common/mod.rs"]
mod common;

use std::fs::File;
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub(crate) use self::common::{Finished, Running};

/// The built-in stub, with a delay of a millisecond.
pub(crate) fn stub() -> common::Stub {
    common::Stub::start(&["--delay-ms", "1"])
}

/// `tidemark-bench NAME` with pipes.
pub(crate) fn start(name: &str, url: &str, flags: &[&str]) -> Running {
    common::start(&arguments(name, url, flags))
}

fn arguments<'a>(name: &'a str, url: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&[name, "--base-url", url, "--seed", "7"], flags].concat()
}

/// `tidemark-bench run` with a terminal of 100 columns for standard error, and what it showed there.
pub(crate) fn run_in_terminal(
    url: &str,
    flags: &[&str],
    environment: &[(&str, &str)],
) -> (Finished, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize {
        ws_row: 30,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new())
        .unwrap()
        .into_string()
        .unwrap();
    let other_end = File::options().read(true).write(true).open(name).unwrap();
    let running = common::start_with(&arguments("run", url, flags), |command| {
        command
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .stderr(other_end);
    });
    let shown = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // Ends with an error once nobody has the other end any more.
        let _ = File::from(terminal).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    });
    let finished = running.wait();
    (finished, shown.join().unwrap())
}
