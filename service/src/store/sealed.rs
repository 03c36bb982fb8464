//! Records of plain data, sealed with a format version and a checksum.

use detectors::envelope;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Seals `record`.
pub(super) fn seal(magic: [u8; 4], format: u16, record: &impl Serialize) -> Vec<u8> {
    let payload = postcard::to_stdvec(record).expect("plain data serialises into memory");
    envelope::seal(magic, format, 0, &payload)
}

/// Opens a sealed record of this one format.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub(super) fn open<T: DeserializeOwned>(
    magic: [u8; 4],
    format: u16,
    bytes: &[u8],
) -> Result<T, String> {
    let sealed = envelope::open(magic, bytes).map_err(|error| error.to_string())?;
    if sealed.format != format {
        return Err(format!(
            "its format is {}, known is {format}",
            sealed.format
        ));
    }
    postcard::from_bytes(sealed.payload).map_err(|error| error.to_string())
}
