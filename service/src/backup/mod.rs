//! `tidemark backup` and `tidemark restore`: a store to a file, and a store from a file.

mod make;
mod progress;
mod restore;
mod target;

use std::path::Path;

pub use make::make;
pub(crate) use make::{carried_files, store_of};
pub use restore::restore;

use crate::store::Summary;

/// Whether a path stands for stdin or stdout.
fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What a backup has, in a sentence.
fn sentence(summary: &Summary) -> String {
    let moment = i64::try_from(summary.head.created_at_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let moment = moment.map_or_else(|| "an unknown moment".to_owned(), |it| it.to_string());
    let files = match summary.files.as_slice() {
        [] => String::new(),
        files => format!(", {}", files.join(", ")),
    };
    format!(
        "{} series, {} versions, {} online states{files}, {} records of {} as of {moment}",
        summary.series,
        summary.versions(),
        summary.states(),
        summary.records(),
        bytesize::ByteSize(summary.bytes()),
    )
}
