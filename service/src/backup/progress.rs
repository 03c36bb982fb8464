//! How far it is, on stderr: over and over on one line of a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use bytesize::ByteSize;

/// Reads, copies what was read to `copy`, hashes it, and says how much it was.
pub(super) struct Progress<R, W> {
    input: R,
    copy: W,
    /// The first write that failed: told as it is and not as a failure to read.
    pub(super) failed: Option<io::Error>,
    hash: blake3::Hasher,
    bytes: u64,
    what: &'static str,
    begun: Instant,
    told: Instant,
    is_terminal: bool,
}

impl<R: Read, W: Write> Progress<R, W> {
    pub(super) fn new(what: &'static str, input: R, copy: W) -> Self {
        let begun = Instant::now();
        Self {
            input,
            copy,
            failed: None,
            hash: blake3::Hasher::new(),
            bytes: 0,
            what,
            begun,
            told: begun,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self) {
        let pause = Duration::from_secs(if self.is_terminal { 1 } else { 10 });
        if self.told.elapsed() < pause {
            return;
        }
        self.told = Instant::now();
        let line = format!(
            "{} {} in {:.0} s",
            self.what,
            ByteSize(self.bytes),
            self.begun.elapsed().as_secs_f64()
        );
        let mut errors = io::stderr();
        // Whoever closed stderr does not want to know.
        let _ = if self.is_terminal {
            write!(errors, "\r\x1b[K{line}\r")
        } else {
            writeln!(errors, "{line}")
        };
    }

    /// Bytes that were read, their hash, and how long it took.
    pub(super) fn end(self) -> (W, String) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        let told = format!(
            "{} in {:.1} s, blake3 {}",
            ByteSize(self.bytes),
            self.begun.elapsed().as_secs_f64(),
            self.hash.finalize().to_hex()
        );
        (self.copy, told)
    }
}

impl<R: Read, W: Write> Read for Progress<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buffer)?;
        let bytes = &buffer[..n];
        self.hash.update(bytes);
        self.bytes += n as u64;
        if let Err(error) = self.copy.write_all(bytes) {
            let kind = error.kind();
            self.failed = Some(error);
            return Err(kind.into());
        }
        self.tell();
        Ok(n)
    }
}
