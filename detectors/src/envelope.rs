//! Bytes that know their kind, their version and whether they are whole.
//!
//! `magic [4] | format u16 | tag u16 | payload length u32 | payload | check [16]`, integers little
//! endian; `check` is the first 16 bytes of the BLAKE3 hash of all that comes before it. 128 bits
//! make it a content address as well: the digest names the record (`model_hash`).

/// Bytes before the payload.
const HEADER: usize = 12;
/// Bytes after it.
const CHECK: usize = 16;

/// A record whose checksum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Version of the payload's layout.
    pub format: u16,
    /// Kind of the payload.
    pub tag: u16,
    /// The payload.
    pub payload: &'a [u8],
    /// The checksum, which also names the record.
    pub digest: [u8; CHECK],
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes are of another kind.
    #[error("wrong magic bytes")]
    WrongMagic,
    /// The bytes end before the record does.
    #[error("truncated: {got} bytes of {needed}")]
    Truncated {
        /// Bytes the record has, as far as can be told.
        needed: u64,
        /// Bytes there are.
        got: usize,
    },
    /// The bytes go on after the record.
    #[error("{extra} bytes after the end")]
    TrailingBytes {
        /// Bytes too many.
        extra: u64,
    },
    /// The bytes were changed.
    #[error("checksum mismatch")]
    ChecksumMismatch,
}

/// Puts a payload into an envelope.
///
/// The payload has less than 4 GiB, the largest length the header can tell; [`open`] refuses the
/// record of a longer one.
pub fn seal(magic: [u8; 4], format: u16, tag: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + CHECK);
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&tag.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(payload);
    let digest = digest_of(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// Opens an envelope.
///
/// # Errors
///
/// Any change to the bytes since [`seal`]: a flipped bit, a missing or an extra byte.
pub fn open(magic: [u8; 4], bytes: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    let shortest = HEADER + CHECK;
    let truncated = |needed: u64| EnvelopeError::Truncated {
        needed,
        got: bytes.len(),
    };
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(truncated(shortest as u64));
    };
    let [m0, m1, m2, m3, f0, f1, t0, t1, length @ ..] = *header;
    if [m0, m1, m2, m3] != magic {
        return Err(EnvelopeError::WrongMagic);
    }
    let needed = u64::from(u32::from_le_bytes(length)) + shortest as u64;
    let got = bytes.len() as u64;
    if got < needed {
        return Err(truncated(needed));
    }
    if got > needed {
        return Err(EnvelopeError::TrailingBytes {
            extra: got - needed,
        });
    }
    let Some((payload, &digest)) = rest.split_last_chunk::<CHECK>() else {
        return Err(truncated(needed));
    };
    if digest_of(&bytes[..HEADER + payload.len()]) != digest {
        return Err(EnvelopeError::ChecksumMismatch);
    }
    Ok(Envelope {
        format: u16::from_le_bytes([f0, f1]),
        tag: u16::from_le_bytes([t0, t1]),
        payload,
        digest,
    })
}

/// A digest as 32 lower-case hexadecimal digits.
pub fn digest_hex(digest: &[u8; CHECK]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(2 * CHECK);
    for byte in digest {
        text.extend([byte >> 4, byte & 15].map(|nibble| DIGITS[usize::from(nibble)]));
    }
    String::from_utf8(text).expect("digits are ASCII")
}

fn digest_of(bytes: &[u8]) -> [u8; CHECK] {
    let hash: [u8; 32] = blake3::hash(bytes).into();
    let mut digest = [0; CHECK];
    digest.copy_from_slice(&hash[..CHECK]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 4] = *b"TEST";

    fn sample() -> Vec<u8> {
        seal(MAGIC, 3, 258, b"some payload, long enough to matter")
    }

    #[test]
    fn what_was_sealed_comes_out() {
        let bytes = sample();
        let envelope = open(MAGIC, &bytes).unwrap();
        assert_eq!((envelope.format, envelope.tag), (3, 258));
        assert_eq!(envelope.payload, b"some payload, long enough to matter");
        assert_eq!(envelope.digest, bytes[bytes.len() - CHECK..]);
        assert_eq!(open(MAGIC, &seal(MAGIC, 0, 0, b"")).unwrap().payload, b"");
    }

    #[test]
    fn layout_is_as_documented() {
        let bytes = seal(*b"ABCD", 0x0102, 0x0304, &[7, 8]);
        assert_eq!(bytes[..14], [65, 66, 67, 68, 2, 1, 4, 3, 2, 0, 0, 0, 7, 8]);
        assert_eq!(bytes[14..], blake3::hash(&bytes[..14]).as_bytes()[..16]);
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = sample();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(MAGIC, &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            let error = open(MAGIC, &bytes[..length]).unwrap_err();
            assert!(
                matches!(error, EnvelopeError::Truncated { .. }),
                "{length}: {error}"
            );
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(
            open(MAGIC, &longer),
            Err(EnvelopeError::TrailingBytes { extra: 1 })
        );
    }

    #[test]
    fn another_kind_is_refused() {
        assert_eq!(open(*b"ELSE", &sample()), Err(EnvelopeError::WrongMagic));
    }

    #[test]
    fn hex_digits_are_lower_case_and_padded() {
        let mut digest = [0; CHECK];
        (digest[0], digest[15]) = (0x0a, 0xf1);
        assert_eq!(digest_hex(&digest), "0a0000000000000000000000000000f1");
    }
}
