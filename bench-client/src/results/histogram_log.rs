//! `latency.hlog`: the run's histograms in the interval log of HdrHistogram, format 1.3 with V2
//! compressed histograms, in nanoseconds. One line a distribution, over the whole run, tagged with
//! the distribution's name.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use jiff::Timestamp;

use crate::tally::Tally;

/// The log of a run that began at `started_at`. Largest values in it are in milliseconds.
///
/// # Panics
/// Never: it is written to memory, and tags have neither comma nor space.
#[must_use]
pub fn render(tally: &Tally, started_at: Timestamp) -> Vec<u8> {
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Durations in nanoseconds, Interval_Max in milliseconds]")
        .with_start_time(SystemTime::from(started_at))
        .with_base_time(SystemTime::from(started_at))
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut log, &mut serializer)
        .expect("memory can be written");
    let wall = Duration::from_nanos(tally.wall_ns());
    for (name, histogram) in tally.histograms() {
        writer
            .write_histogram(&histogram, Duration::ZERO, wall, Tag::new(&name))
            .expect("memory can be written and counts fit");
    }
    log
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::tally::tests::{records, tally};

    /// What HdrHistogram's own reader finds in a log.
    fn read(log: &[u8]) -> Vec<(String, Histogram<u64>)> {
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(log) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let encoded = interval.encoded_histogram();
                let bytes = base64_decode(encoded);
                let histogram = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                found.push((interval.tag().unwrap().as_str().to_owned(), histogram));
            }
        }
        found
    }

    fn base64_decode(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
        for digit in text.bytes().take_while(|&digit| digit != b'=') {
            let value = DIGITS.iter().position(|&known| known == digit).unwrap();
            bits = bits << 6 | value as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
                bits &= (1 << held) - 1;
            }
        }
        bytes
    }

    #[test]
    fn hdrhistogram_reads_the_same_counts() {
        let tally = tally(&records(3, 20_000, 10_000_000_000));
        let log = render(&tally, "2026-11-25T12:00:00Z".parse().unwrap());
        assert!(log.starts_with(b"#[Histogram log format version 1.3]\n"));
        let (found, written) = (read(&log), tally.histograms());
        assert_eq!(
            found.len(),
            6 + 5 + 14,
            "metrics, failures, kinds of request"
        );
        for ((name, read), (written_name, written)) in found.iter().zip(&written) {
            assert_eq!(name, written_name);
            assert_eq!(read.len(), written.len(), "{name}");
            assert!(read.iter_recorded().eq(written.iter_recorded()), "{name}");
        }
        let last = &tally.stats().ok.last;
        assert_eq!(found[0].0, "last");
        assert_eq!(found[0].1.len(), last.count);
    }

    #[test]
    fn distributions_without_a_duration_are_left_out() {
        let nothing = tally(&[]);
        let log = render(&nothing, "2026-11-25T12:00:00Z".parse().unwrap());
        assert_eq!(read(&log).len(), 0);
    }
}
