use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;
use crate::load::response::Op;
use crate::results::config::Bound;
use crate::results::fixture;

fn begun() -> Begun {
    Begun {
        format_version: entry::FORMAT_VERSION,
        run_id: "20261125_120000".into(),
        base_url: "http://127.0.0.1:8000".into(),
        seed: 7,
        workload: fixture::config(Bound::Requests { n: 1 }).workload,
    }
}

fn write(index: u64) -> Write {
    Write {
        index: Some(index),
        op: Op::Fit,
        series: index % 3,
        training: Some(0),
    }
}

fn acknowledged(index: u64) -> Entry {
    Entry::Acknowledged(Acknowledged {
        write: write(index),
        sent_ns: 10 * index,
        acked_ns: 10 * index + 5,
        number: index + 1,
        hash: Some("ab".into()),
    })
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let ledger = Ledger::create(&path).unwrap();
    ledger.append(&[Entry::Begun(begun())]).unwrap();
    ledger.announce(0).unwrap();
    ledger.announce(1_023).unwrap();
    ledger
        .append(&[acknowledged(0), Entry::Unknown(write(1))])
        .unwrap();
    ledger.announce(1_024).unwrap();
    ledger.announce(5).unwrap();
    ledger
        .append(&[
            Entry::Refused(write(2)),
            Entry::Ended { interrupted: false },
        ])
        .unwrap();
    let read = read(&path).unwrap();
    assert_eq!(read.begun, begun());
    assert!(!read.torn);
    assert_eq!(
        read.entries,
        [
            Entry::Intended { until: 1_024 },
            acknowledged(0),
            Entry::Unknown(write(1)),
            Entry::Intended { until: 2_048 },
            Entry::Refused(write(2)),
            Entry::Ended { interrupted: false },
        ]
    );
    // A second run must not continue it.
    assert!(matches!(
        Ledger::create(&path),
        Err(LedgerError::File { .. })
    ));
}

#[test]
fn a_torn_tail_is_dropped_wherever_it_is_cut_and_damage_elsewhere_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let ledger = Ledger::create(&path).unwrap();
    ledger
        .append(&[Entry::Begun(begun()), acknowledged(0), acknowledged(1)])
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in last + 1..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let read = read(&path).unwrap();
        assert!(read.torn, "{cut}");
        assert_eq!(read.entries, [acknowledged(0)], "{cut}");
    }
    std::fs::write(&path, &bytes[..last]).unwrap();
    assert!(!read(&path).unwrap().torn);

    let mut damaged = bytes.clone();
    damaged[last - 5] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.ends_with("damaged in line 2"), "{error}");
}

#[test]
fn other_files_are_no_ledgers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(read(&path), Err(LedgerError::NoLedger { .. })));
    assert!(matches!(
        Ledger::create(&path),
        Err(LedgerError::File { .. })
    ));
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"a,b\n1,2\n").unwrap();
    assert!(read(&path).is_err());
}
