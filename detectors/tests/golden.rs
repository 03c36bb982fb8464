//! Models written by earlier releases: each must be read, score as it did, and be written again byte
//! for byte. A file is never replaced; a new format adds files.
//!
//! The models that depend on the time are in [`banded`], those that judge windows in [`windowed`],
//! the online state in [`online`];
//! [`record`] tells how to record them.

#[path = "golden/banded.rs"]
mod banded;
#[path = "golden/online.rs"]
mod online;
#[path = "golden/record.rs"]
mod record;
#[path = "golden/windowed.rs"]
mod windowed;

use detectors::envelope::{self, digest_hex};
use detectors::{DecodeError, Direction, FORMAT, Fitted, MAGIC, Params, Seasons, Series};

struct Golden {
    bytes: &'static [u8],
    model_hash: &'static str,
    params: fn() -> Params,
    values: fn() -> Vec<f64>,
    /// value, anomaly, anomaly_score, p_value.
    scores: [(f64, bool, f64, f64); 5],
}

fn short() -> Vec<f64> {
    vec![10.0, 10.2, 10.1, 9.9, 10.3, 10.15]
}

fn long() -> Vec<f64> {
    (0..48).map(|i| f64::from((i * 37) % 101) / 8.0).collect()
}

const GOLDEN: [Golden; 4] = [
    Golden {
        bytes: include_bytes!("golden/gaussian-sigma.bin"),
        model_hash: "2f32d2f6f54ab5e28af7c0c6ce26dcf3",
        params: || Params {
            model: Some("gaussian".to_owned()),
            sigma: Some(3.0),
            direction: Some(Direction::Above),
            ..Params::default()
        },
        values: short,
        scores: [
            (-50.0, false, 0.0, 1.0),
            (9.5, false, 2.3489544245714474e-7, 0.9999984478764301),
            (10.1, false, 0.09738022635395195, 0.5254701595570321),
            (10.6, true, 1.42422257008175, 8.182949362352921e-5),
            (25.0, true, 107.20728958566681, f64::MIN_POSITIVE),
        ],
    },
    Golden {
        bytes: include_bytes!("golden/gaussian-student-t.bin"),
        model_hash: "e1e188446a519bdca37647eead56c8cd",
        params: || Params {
            model: Some("gaussian".to_owned()),
            ..Params::default()
        },
        values: short,
        scores: [
            (-50.0, true, 3.891357058463004, 2.118013991018606e-12),
            (9.5, false, 0.6536341643245608, 0.010942020069883398),
            (10.1, false, 0.006055902969573769, 0.959030217023608),
            (10.6, false, 0.537643317907179, 0.024382040385315083),
            (25.0, true, 2.8815277555044654, 2.266818422389209e-9),
        ],
    },
    Golden {
        bytes: include_bytes!("golden/robust.bin"),
        model_hash: "be988adfb1707df85490f0d930b13c8e",
        // Fitted when `auto` looked for no season; now it finds one here. Seasons left out, it is
        // the same model.
        params: || Params {
            direction: Some(Direction::Below),
            seasons: Some(Seasons::Periods(Vec::new())),
            ..Params::default()
        },
        values: long,
        scores: [
            (-50.0, true, 3.087805711865011, 5.45233917674088e-10),
            (9.5, false, 0.040102410754690135, 0.7580411254574466),
            (10.1, false, 0.033520925695713064, 0.7932995773641828),
            (10.6, false, 0.028724654826128217, 0.8200230035462578),
            (25.0, false, 7.940908153019569e-5, 0.9994516119175999),
        ],
    },
    Golden {
        bytes: include_bytes!("golden/gaussian-student-t-long.bin"),
        model_hash: "0291ac85c991f0ae732b361416e2a0c9",
        params: || Params {
            model: Some("gaussian".to_owned()),
            ..Params::default()
        },
        values: long,
        scores: [
            (-50.0, true, 6.246382785771184, 1.8232727562175536e-19),
            (9.5, false, 0.14336340500031744, 0.3714580589479528),
            (10.1, false, 0.17739731018362487, 0.2936351684406155),
            (10.6, false, 0.20778814607092802, 0.23803211845329442),
            (25.0, true, 1.7051814759326311, 7.664001343495719e-6),
        ],
    },
];

#[test]
fn are_read_and_score_as_recorded() {
    for golden in &GOLDEN {
        let model = Fitted::decode(golden.bytes).unwrap();
        for (value, anomaly, anomaly_score, p_value) in golden.scores {
            let score = model.score(0, value);
            assert_eq!(
                (score.anomaly, score.anomaly_score, score.p_value),
                (anomaly, anomaly_score, p_value),
                "{value} {golden}",
                golden = golden.model_hash
            );
        }
    }
}

#[test]
fn are_written_again_byte_for_byte() {
    for golden in &GOLDEN {
        assert_eq!(Fitted::decode(golden.bytes).unwrap().encode(), golden.bytes);
        let digest = envelope::open(MAGIC, golden.bytes).unwrap().digest;
        assert_eq!(digest_hex(&digest), golden.model_hash);
    }
}

#[test]
fn are_what_the_same_fit_gives_today() {
    for golden in &GOLDEN {
        let values = (golden.values)();
        let timestamps: Vec<i64> = (0..values.len() as i64).map(|i| 60 * i).collect();
        let series = Series::new(&timestamps, &values).unwrap();
        let model = (golden.params)().check().unwrap().fit(&series).unwrap();
        assert_eq!(model.encode(), golden.bytes);
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for golden in &GOLDEN {
        for bit in 0..golden.bytes.len() * 8 {
            let mut damaged = golden.bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Fitted::decode(&damaged).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_newer_format_is_named() {
    let envelope = envelope::open(MAGIC, GOLDEN[0].bytes).unwrap();
    let newer = envelope::seal(MAGIC, FORMAT + 1, envelope.tag, envelope.payload);
    assert_eq!(
        Fitted::decode(&newer),
        Err(DecodeError::NewerFormat {
            found: FORMAT + 1,
            known: FORMAT
        })
    );
}
