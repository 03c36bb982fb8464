//! Lines for the person at the terminal. A closed pipe (`tidemark-bench … | head -1`) must not
//! end a measurement, so that write errors are dropped here and nowhere else.

use std::io::Write;

use crate::live;

/// Writes one line of results to standard output.
pub(crate) fn out(line: impl std::fmt::Display) {
    live::make_way();
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes one line of progress or diagnosis to standard error.
pub(crate) fn note(line: impl std::fmt::Display) {
    live::make_way();
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
