//! The calls of a trace of strace that change a file.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Calls that change a file or a folder, as strace names their set; `?` where a machine may lack one.
pub(super) const CALLS: &str = "?open,openat,?creat,write,pwrite64,writev,?pwritev,fdatasync,fsync,?rename,renameat,\
     renameat2,?unlink,unlinkat,?rmdir,ftruncate,fallocate,?mkdir,mkdirat,?link,linkat,copy_file_range";

/// One call: the `rank`-th of its name by one of the threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) call: String,
    /// The file on which it is the `rank`-th, relative to the data folder; none where its name is another one
    /// every time, and then calls on all files count.
    pub(super) path: Option<String>,
    pub(super) rank: usize,
}

/// The calls of a trace of `strace -f -y` on what is in the folder `data`, in their order, each once.
pub(super) fn points(trace: &str, data: &Path) -> Vec<Point> {
    let mut ranks: HashMap<(&str, &str, Option<&str>), usize> = HashMap::new();
    let mut seen = BTreeSet::new();
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        // What strace counts, it counts whatever the call is about.
        let of_all = ranks.entry((thread, call, None)).or_default();
        *of_all += 1;
        let mut rank = *of_all;
        let path =
            path_of(call, arguments).and_then(|path| Path::new(path).strip_prefix(data).ok());
        let Some(path) = path.and_then(Path::to_str) else {
            continue;
        };
        let path = (!path.contains("/.tmp")).then_some(path);
        if path.is_some() {
            let of_file = ranks.entry((thread, call, path)).or_default();
            *of_file += 1;
            rank = *of_file;
        }
        // An open that makes nothing is counted, too, and changes nothing.
        let changes = !call.starts_with("open") || arguments.contains("O_CREAT");
        if changes && seen.insert((call, path, rank)) {
            points.push(Point {
                call: call.to_owned(),
                path: path.map(str::to_owned),
                rank,
            });
        }
    }
    points
}

/// The file that a call is about: that of its descriptor, the first path in its arguments, or the last one where
/// the first has another name every time.
fn path_of<'a>(call: &str, arguments: &'a str) -> Option<&'a str> {
    let mut quoted = arguments.split('"').skip(1).step_by(2);
    let path = if arguments.starts_with(|first: char| first.is_ascii_digit()) {
        arguments.split_once('<')?.1.split_once('>')?.0
    } else {
        let first = quoted.next()?;
        let name = Path::new(first).file_name().and_then(|name| name.to_str());
        let is_random = name.is_some_and(|name| name.starts_with(".tmp"));
        let renamed = (call.starts_with("rename") && is_random).then(|| quoted.next());
        renamed.flatten().unwrap_or(first)
    };
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
7 write(6</d/k/.tmpA1>, "v", 1) = 1
7 renameat(AT_FDCWD</w>, "/d/k/.tmpA1", AT_FDCWD</w>, "/d/other") = 0"#;
        let found = points(trace, Path::new("/d"));
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.call.as_str(), it.path.as_deref(), it.rank))
            .collect();
        let expected = [
            ("openat", Some("new"), 1),
            ("write", Some("new"), 1),
            ("write", Some("new"), 2),
            ("fsync", Some("new"), 1),
            ("write", None, 4),
            ("renameat", Some("other"), 1),
        ];
        assert_eq!(found, expected);
    }
}
