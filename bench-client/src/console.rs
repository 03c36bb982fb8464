//! Lines for the person at the terminal. A closed pipe (`tidemark-bench … | head -1`) or a full disk must
//! not end a measurement: the first is dropped, and the second told when the command is over.

use std::io::{self, Write};
use std::sync::OnceLock;

use crate::live;

/// Why results did not reach standard output, the first time.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes one line of results to standard output.
pub(crate) fn out(line: impl std::fmt::Display) {
    write(format_args!("{line}\n"));
}

/// Writes a text to standard output as it is.
pub(crate) fn write(text: impl std::fmt::Display) {
    live::make_way();
    let mut out = io::stdout().lock();
    let written = write!(out, "{text}").and_then(|()| out.flush());
    match written {
        // A reader that has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            let _ = LOST.set(error);
        }
        Ok(()) => {}
    }
}

/// Why some of the results are not on standard output, unless nobody reads them.
pub(crate) fn lost() -> Option<&'static io::Error> {
    LOST.get()
}

/// Writes one line of progress or diagnosis to standard error.
pub(crate) fn note(line: impl std::fmt::Display) {
    live::make_way();
    let _ = writeln!(io::stderr().lock(), "{line}");
}
