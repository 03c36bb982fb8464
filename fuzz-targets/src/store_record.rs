//! Records of the store: any bytes, any payload under a right checksum, and real records with bits changed.
//!
//! No panic; a changed record is refused; what is opened and sealed opens to the same.
//!
//! The first byte chooses the kind, the second one what is done with the rest.

use std::sync::OnceLock;

use detectors::envelope;
use service::store::record::{VersionRecord, open_number, seal_number};
use service::store::training::TrainingPoints;
use service::store::{
    AliasRecord, Answer, BodyDigest, FitParameters, Head, KeptAnswer, Learnt, Metadata,
    SeriesLabels, StateRecord,
};

use crate::Outcome;

/// A kind of record.
struct Kind {
    /// What the store would hold.
    real: Vec<u8>,
    /// Opens bytes and seals what they hold.
    again: fn(&[u8]) -> Result<Vec<u8>, String>,
}

pub(crate) fn check(data: &[u8]) -> Outcome {
    let [kind, mode, rest @ ..] = data else {
        return Ok(false);
    };
    let kind = &kinds()[usize::from(*kind) % kinds().len()];
    match mode % 3 {
        0 => settles(kind, rest),
        1 => changed(kind, rest),
        _ => forged(kind, rest),
    }
}

/// What opens is sealed to bytes that open to the same.
fn settles(kind: &Kind, bytes: &[u8]) -> Outcome {
    let Ok(sealed) = (kind.again)(bytes) else {
        return Ok(false);
    };
    if (kind.again)(&sealed)? != sealed {
        return Err("a record that was opened and sealed opens to another".to_owned());
    }
    Ok(true)
}

/// A real record with bytes changed, each three of `rest` a place and what is flipped there.
fn changed(kind: &Kind, rest: &[u8]) -> Outcome {
    let mut bytes = kind.real.clone();
    flip(&mut bytes, rest);
    match (kind.again)(&bytes) {
        Ok(sealed) if bytes == kind.real && sealed == bytes => Ok(true),
        Ok(_) => Err("a changed record was opened".to_owned()),
        Err(reason) if bytes == kind.real => Err(format!("a whole record was refused: {reason}")),
        Err(_) => Ok(true),
    }
}

/// A real payload with bytes changed and cut, under a checksum that is right: what only a defect of ours, or somebody
/// who can write the store, would make.
fn forged(kind: &Kind, rest: &[u8]) -> Outcome {
    let [format, tag, cut, rest @ ..] = rest else {
        return Ok(false);
    };
    let magic = *kind.real.first_chunk::<4>().expect("a record has a magic");
    let real = envelope::open(magic, &kind.real).map_err(|error| error.to_string())?;
    let mut payload = real.payload.to_vec();
    payload.truncate(payload.len().saturating_sub(usize::from(*cut)));
    flip(&mut payload, rest);
    let other = |real: u16, flipped: &u8| real ^ u16::from(*flipped);
    let bytes = envelope::seal(
        magic,
        other(real.format, format),
        other(real.tag, tag),
        &payload,
    );
    settles(kind, &bytes)
}

pub(crate) fn flip(bytes: &mut [u8], places: &[u8]) {
    let (changes, _) = places.as_chunks::<3>();
    for [high, low, flipped] in changes {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= flipped;
        }
    }
}

fn kinds() -> &'static [Kind] {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let points = |n: i64| TrainingPoints {
            timestamps: (0..n).map(|i| 1_772_928_000 + 60 * i).collect(),
            values: (0..n).map(|i| ((i * 37) % 101) as f64 / 8.0).collect(),
        };
        let version = VersionRecord {
            fitted_at_ms: 1_769_846_400_123,
            points_used: 20,
            trained_from: 1_772_928_000,
            trained_to: 1_772_929_140,
            model: vec![7; 96],
            training: Some(points(20).seal()),
            metadata: Metadata {
                labels: Some([("site".into(), "north".into())].into()),
                parameters: Some(Box::new(FitParameters {
                    model: "auto".into(),
                    sigma: Some(3.0),
                    min_deviation: (0.5, 0.1),
                    periods: Some(vec![60]),
                    timezone: "UTC".into(),
                    exclude: vec![(1, 2)],
                })),
                imported_at_ms: Some(1_769_846_400_123),
                feedback: None,
            },
        };
        let labels = SeriesLabels {
            version: 3,
            labels: [("site".into(), "north".into())].into(),
        };
        let state = StateRecord {
            seq: 300,
            origin_version: 3,
            origin_digest: [7; 16],
            learnt_from: Some(1_700_000_000),
            online: vec![9; 120],
        };
        let learnt = Learnt {
            first_seq: 301,
            points: vec![(1_772_928_000, 1.5), (1_772_928_060, -0.0)],
        };
        let alias = AliasRecord {
            version: 12,
            revision: 300,
            updated_at_ms: 1_769_846_400_123,
        };
        let answer = KeptAnswer {
            body: BodyDigest::of(b"{}"),
            version: 12,
            at_ms: 1_769_846_400_123,
            answer: Answer {
                before: b"{\"version\":\"".to_vec(),
                after: b"\"}".to_vec(),
            },
        };
        let head = Head {
            last: 300,
            latest: 299,
            count: 12,
            life: 2,
            deleted_to: 40,
            from: 280,
            kept: vec![44, 70],
        };
        let kind = |real, again| Kind { real, again };
        let training: fn(&[u8]) -> Result<Vec<u8>, String> =
            |b| Ok(TrainingPoints::open(b)?.seal());
        vec![
            kind(version.seal(), |b| Ok(VersionRecord::open(b)?.seal())),
            kind(points(20).seal(), training),
            kind(points(200).seal(), training),
            kind(state.seal(), |b| Ok(StateRecord::open(b)?.seal())),
            kind(learnt.seal(), |b| Ok(Learnt::open(b)?.seal())),
            kind(alias.seal(), |b| Ok(AliasRecord::open(b)?.seal())),
            kind(answer.seal(), |b| Ok(KeptAnswer::open(b)?.seal())),
            kind(seal_number(1 << 40), |b| Ok(seal_number(open_number(b)?))),
            kind(head.seal(), |b| Ok(Head::open(b)?.seal())),
            kind(labels.seal(), |b| Ok(SeriesLabels::open(b)?.seal())),
        ]
    })
}
