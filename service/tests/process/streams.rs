//! Streams of lines: as long as anybody likes, in memory that does not grow with them, and never cut off so that it
//! looks like their end.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::binary::Tidemark;
use super::http::once;
use super::{from_env, payload};

/// A guard against hanging, not a promise about speed.
const WITHIN: Duration = Duration::from_secs(60);
/// Lines of the short exchange, after which all of the memory is there that a stream takes.
const FEW: u64 = 10_000;
/// How much more the peak of the resident memory may be after the long one: less than its lines take.
const GROWS_BY: u64 = 8 << 20;

/// One exchange; the reply is read by a thread of its own.
struct Stream {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

/// What came of a reply.
#[derive(Debug, PartialEq)]
struct Came {
    lines: u64,
    is_whole: bool,
}

impl Stream {
    fn begin(addr: SocketAddr, target: &str) -> Self {
        let mut writer = TcpStream::connect(addr).expect("it listens");
        writer.set_nodelay(true).expect("a socket");
        writer.set_read_timeout(Some(WITHIN)).expect("a socket");
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        writer.write_all(head.as_bytes()).expect("it reads");
        let mut reader = BufReader::new(writer.try_clone().expect("a socket"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let n = reader.read_line(&mut head).expect("a head");
            assert_ne!(n, 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Self { writer, reader }
    }

    fn send(&mut self, lines: &[u8]) -> Result<()> {
        let size = format!("{:x}\r\n", lines.len());
        self.writer
            .write_all(&[size.as_bytes(), lines, b"\r\n"].concat())
    }

    fn end(&mut self) -> Result<()> {
        self.writer.write_all(b"0\r\n\r\n")
    }

    /// Reads one chunk: its lines, or none of the last.
    fn chunk(reader: &mut BufReader<TcpStream>) -> Result<Option<u64>> {
        let mut size = String::new();
        if reader.read_line(&mut size)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        let lines = chunk[..size].iter().filter(|byte| **byte == b'\n').count();
        Ok((size > 0).then_some(lines as u64))
    }

    /// Reads to the end.
    fn rest(reader: &mut BufReader<TcpStream>) -> Came {
        let mut lines = 0;
        loop {
            match Self::chunk(reader) {
                Ok(Some(n)) => lines += n,
                Ok(None) => {
                    break Came {
                        lines,
                        is_whole: true,
                    };
                }
                Err(_) => {
                    break Came {
                        lines,
                        is_whole: false,
                    };
                }
            }
        }
    }
}

fn fitted(flags: &[&str]) -> (tempfile::TempDir, Tidemark) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), flags);
    let reply = once(server.addr, "POST", "/fit/a", &payload::fit(1, 50));
    assert_eq!(reply.expect("a reply").status, 200);
    (folder, server)
}

fn line(i: u64) -> String {
    format!(
        "{{\"timestamp\":{},\"value\":{}}}\n",
        1_700_000_000 + i,
        i % 97
    )
}

/// Sends `n` lines and reads as many.
fn exchange(addr: SocketAddr, n: u64) {
    let Stream { writer, mut reader } = Stream::begin(addr, "/predict/a");
    let reading = std::thread::spawn(move || Stream::rest(&mut reader));
    let mut stream = Stream {
        reader: BufReader::new(writer.try_clone().expect("a socket")),
        writer,
    };
    let mut i = 0;
    while i < n {
        let to = n.min(i + 500);
        let lines: String = (i..to).map(line).collect();
        stream.send(lines.as_bytes()).expect("it reads");
        i = to;
    }
    stream.end().expect("it reads");
    let came = reading.join().expect("no panic");
    assert_eq!(
        came,
        Came {
            lines: n,
            is_whole: true
        }
    );
}

/// The most of resident memory that the process has had, in bytes.
fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .expect("a number of KiB");
    kib * 1_024
}

/// Long form: `TIDEMARK_STREAM_LINES=10000000` and `TIDEMARK_BIN` of a release build.
#[test]
fn memory_does_not_grow_with_the_lines() {
    let n = from_env("TIDEMARK_STREAM_LINES", 300_000);
    let (_folder, server) = fitted(&[]);
    for _ in 0..3 {
        exchange(server.addr, FEW);
    }
    let few = peak_bytes(server.pid());
    let begun = Instant::now();
    exchange(server.addr, n);
    let took = begun.elapsed().as_secs_f64();
    let many = peak_bytes(server.pid());
    println!(
        "peak resident memory: {few} bytes after {FEW} lines, {many} after {n} ({:.0} lines/s)",
        n as f64 / took
    );
    assert!(
        many < few + GROWS_BY,
        "{few} after {FEW} lines, {many} after {n}"
    );
    // The control: as many points in one body are seen.
    let timestamps: Vec<u64> = (0..n.min(300_000)).map(|i| 1_700_000_000 + i).collect();
    let values = vec![1.0; timestamps.len()];
    let body = format!("{{\"timestamps\":{timestamps:?},\"values\":{values:?}}}");
    let reply = once(server.addr, "POST", "/predict/a", body.as_bytes());
    assert_eq!(reply.expect("a reply").status, 200);
    let columns = peak_bytes(server.pid());
    assert!(
        columns > few + GROWS_BY,
        "{few}, and {columns} with all in memory"
    );
}

/// Longer than a body may take, and than silence may last, and never 1 KiB a second.
#[test]
fn a_line_now_and_then_is_served_for_as_long_as_it_likes() {
    let (_folder, server) = fitted(&[]);
    let mut stream = Stream::begin(server.addr, "/predict/a");
    for i in 0..7 {
        stream.send(line(i).as_bytes()).expect("it reads");
        let told = Stream::chunk(&mut stream.reader).expect("an answer");
        assert_eq!(told, Some(1));
        std::thread::sleep(Duration::from_secs(3));
    }
    stream.end().expect("it reads");
    let end = Stream::rest(&mut stream.reader);
    assert_eq!(
        end,
        Came {
            lines: 0,
            is_whole: true
        }
    );
}

/// L1 of streams: one that ends within the grace is whole, one that goes on is cut off without an end.
#[test]
fn a_stop_waits_for_streams_and_cuts_off_what_goes_on() {
    let (_folder, server) = fitted(&["--drain-timeout", "3s"]);
    let [mut ends, mut goes_on] = [(); 2].map(|()| Stream::begin(server.addr, "/predict/a"));
    for stream in [&mut ends, &mut goes_on] {
        stream.send(line(1).as_bytes()).expect("it reads");
        let told = Stream::chunk(&mut stream.reader).expect("an answer");
        assert_eq!(told, Some(1));
    }
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(700));
    ends.send(line(2).as_bytes()).expect("it is open");
    ends.end().expect("it is open");
    let end = Stream::rest(&mut ends.reader);
    assert_eq!(
        end,
        Came {
            lines: 1,
            is_whole: true
        }
    );
    let mut sent = 0;
    while goes_on.send(line(3).as_bytes()).is_ok() {
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
        assert!(sent < 600, "it goes on");
    }
    let end = Stream::rest(&mut goes_on.reader);
    assert!(!end.is_whole && end.lines > 0, "{end:?} of {sent}");
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
}

/// A gigabyte of white space, in a few kilobytes.
fn bomb() -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
    let blank = vec![b' '; 1 << 20];
    for _ in 0..1_024 {
        encoder.write_all(&blank).expect("memory takes all");
    }
    encoder.finish().expect("memory takes all")
}

/// Sends bombs to whatever reads a body, several at a time; how much the peak of the memory grows.
fn growth_by_bombs(flags: &[&str], bomb: &[u8]) -> u64 {
    let (_folder, server) = fitted(flags);
    exchange(server.addr, FEW);
    let before = peak_bytes(server.pid());
    let targets = ["/fit/b", "/predict/a", "/update/c", "/detect"];
    std::thread::scope(|scope| {
        for target in targets.into_iter().chain(targets) {
            let addr = server.addr;
            scope.spawn(move || {
                let mut connection = super::http::Connection::open(addr).expect("it listens");
                let coded = "Content-Encoding: zstd\r\n";
                connection
                    .send_with(coded, "POST", target, bomb)
                    .expect("it reads");
                let status = connection.receive().expect("a reply").status;
                assert!([413, 503].contains(&status), "{target}: {status}");
            });
        }
    });
    peak_bytes(server.pid()) - before
}

#[test]
fn bombs_take_no_more_memory_than_bodies_may() {
    let bomb = bomb();
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let grown = growth_by_bombs(&["--max-body", "1MiB"], &bomb);
    println!("{grown} bytes more");
    assert!(grown < 48 << 20, "{grown}");
    // The control: where bodies may be large, the same ones are seen.
    let grown = growth_by_bombs(&["--max-body", "100MiB"], &bomb);
    assert!(grown > 64 << 20, "{grown}");
}
