//! The per-call files. An absent value is an empty field, booleans are `true` and `false`, and
//! numbers keep every digit, so that figures recomputed from the file equal the summary's.

use std::io;

use crate::record::{COLUMNS, CallRecord};

/// The records as CSV; the header is there without records too.
pub(super) fn render(records: &[CallRecord]) -> io::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for record in records {
        writer.serialize(record)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_fields_in_their_order() {
        let record = CallRecord {
            call_index: 1,
            series_id: "s".into(),
            status_code: None,
            ok: false,
            delta_ms: 0.1 + 0.2,
            start_epoch_ms: 3.5,
            end_epoch_ms: 4.25,
            error: Some("a, \"quoted\"\nreason".into()),
            body_preview: None,
            since_intended_ms: 5.125,
        };
        let bytes = render(std::slice::from_ref(&record)).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let fields = "1,s,,false,0.30000000000000004,3.5,4.25,\"a, \"\"quoted\"\"\nreason\",,5.125";
        assert_eq!(text, format!("{}\n{fields}\n", COLUMNS.join(",")));

        // Reading goes by the header's names: a column out of place would not come back.
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let back: Vec<CallRecord> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!(back, [record]);
    }

    #[test]
    fn no_records_still_have_a_header() {
        let text = String::from_utf8(render(&[]).unwrap()).unwrap();
        assert_eq!(text, format!("{}\n", COLUMNS.join(",")));
    }
}
