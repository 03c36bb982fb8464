//! The calls of a trace of strace that change a file.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Calls that change a file or a folder, as strace names their set; `?` where a machine may lack one.
pub(super) const CALLS: &str = "?open,openat,?creat,write,pwrite64,writev,?pwritev,fdatasync,fsync,?rename,renameat,\
     renameat2,?unlink,unlinkat,?rmdir,ftruncate,fallocate,?mkdir,mkdirat,?link,linkat,copy_file_range";

/// One call: the `rank`-th of its name on a file by one of the threads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    /// The first line of the trace with such a call.
    at: usize,
    pub(super) call: String,
    /// Relative to the data folder.
    pub(super) path: String,
    pub(super) rank: usize,
}

/// The calls of a trace of `strace -f -y` on what is in the folder `data`, in their order, each once.
pub(super) fn points(trace: &str, data: &Path) -> Vec<Point> {
    let mut ranks: HashMap<(&str, &str, String), usize> = HashMap::new();
    let mut seen = BTreeSet::new();
    let mut points = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        let path = path_of(arguments).and_then(|path| Path::new(path).strip_prefix(data).ok());
        let Some(path) = path.and_then(Path::to_str) else {
            continue;
        };
        let rank = ranks.entry((thread, call, path.to_owned())).or_default();
        // An open that makes nothing counts, because strace counts it, and changes nothing.
        *rank += 1;
        let changes = !call.starts_with("open") || arguments.contains("O_CREAT");
        if changes && seen.insert((call, path.to_owned(), *rank)) {
            points.push(Point {
                at,
                call: call.to_owned(),
                path: path.to_owned(),
                rank: *rank,
            });
        }
    }
    points
}

/// The file that a call is about: that of its descriptor, or the first path in its arguments.
fn path_of(arguments: &str) -> Option<&str> {
    let is_descriptor = arguments.starts_with(|first: char| first.is_ascii_digit());
    let (open, close) = if is_descriptor {
        ('<', '>')
    } else {
        ('"', '"')
    };
    let of_descriptor = || arguments.split_once(open)?.1.split_once(close);
    let path = of_descriptor()?.0;
    // `unlinkat(5</data/folder>, "name", 0)` names its file by a folder and a name; the folder will do.
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_thread_and_each_is_a_point_once() {
        let trace = r#"
7 openat(AT_FDCWD</w>, "/d/new", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 5</d/new>
7 openat(AT_FDCWD</w>, "/d/new", O_RDONLY|O_CLOEXEC) = 6</d/new>
7 write(5</d/new>, "\1a<b>", 5) = 5
8 write(5</d/new>, "x", 1) = 1
7 write(5</d/new>, "y", 1 <unfinished ...>
8 fsync(5</d/new>) = 0
7 <... write resumed>) = 1
7 write(2</dev/null>, "log", 3) = 3
7 rename("/d/new", "/d/other") = 0"#;
        let found = points(trace, Path::new("/d"));
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.call.as_str(), it.path.as_str(), it.rank))
            .collect();
        let expected = [
            ("openat", "new", 1),
            ("write", "new", 1),
            ("write", "new", 2),
            ("fsync", "new", 1),
            ("rename", "new", 1),
        ];
        assert_eq!(found, expected);
    }
}
