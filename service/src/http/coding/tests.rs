use std::io::Write;

use actix_web::test::TestRequest;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use proptest::prelude::*;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

/// What is read of `body`, which comes in chunks of so many bytes; and the largest piece of it.
async fn read(body: &[u8], coding: Coding, chunk: usize) -> (Result<Vec<u8>, Rejection>, usize) {
    let chunks: Vec<_> = body
        .chunks(chunk.max(1))
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    let mut inflated = Inflated::new(stream::iter(chunks), Some(coding));
    let (mut read, mut largest) = (Vec::new(), 0);
    while let Some(piece) = inflated.next().await {
        match piece {
            Ok(piece) => {
                largest = largest.max(piece.len());
                read.extend_from_slice(&piece);
            }
            Err(rejection) => return (Err(rejection), largest),
        }
    }
    (Ok(read), largest)
}

proptest! {
    #[test]
    fn what_was_coded_comes_back(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
        chunk in 1_usize..90,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (coding, encode) in [(Coding::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Coding::Zstd, zstd)] {
            // Of several members, too.
            let coded: Vec<u8> = parts.iter().flat_map(|part| encode(part)).collect();
            let (read_back, _) = runtime.block_on(read(&coded, coding, chunk));
            prop_assert_eq!(read_back, Ok(parts.concat()));
        }
    }

    /// Wherever it is cut, and whatever bit flips: never taken for the whole, unless it is.
    #[test]
    fn what_is_damaged_is_no_body(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let plain: Vec<u8> = (0..2_000_u32).flat_map(|i| (i * i).to_string().into_bytes()).collect();
        let coded = gzip(&plain);
        let cut = &coded[..at.index(coded.len() - 1) + 1];
        if cut.len() < coded.len() {
            let (read_back, _) = runtime.block_on(read(cut, Coding::Gzip, 50));
            prop_assert_eq!(read_back.unwrap_err().code, Code::MalformedRequest);
        }
        let mut flipped = coded.clone();
        flipped[at.index(coded.len())] ^= 1 << bit;
        match runtime.block_on(read(&flipped, Coding::Gzip, 50)).0 {
            // Of the header: the time, the system and the like.
            Ok(read_back) => prop_assert_eq!(read_back, plain),
            Err(rejection) => prop_assert_eq!(rejection.code, Code::MalformedRequest),
        }
    }
}

#[tokio::test]
async fn a_little_is_inflated_at_once() {
    let plain = vec![b' '; 20_000_000];
    for (coding, coded) in [(Coding::Gzip, gzip(&plain)), (Coding::Zstd, zstd(&plain))] {
        assert!(coded.len() < plain.len() / 200);
        let (read_back, largest) = read(&coded, coding, usize::MAX).await;
        assert!(read_back.is_ok_and(|read_back| read_back == plain));
        assert!(largest <= INFLATED_BYTES, "{largest}");
    }
}

#[tokio::test]
async fn a_window_is_not_as_large_as_the_sender_likes() {
    for (window, is_read) in [(WINDOW_LOG_MAX, true), (WINDOW_LOG_MAX + 1, false)] {
        let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window).unwrap();
        // Of unknown length, so that the frame does not say less.
        encoder.write_all(&vec![b'a'; 1_000]).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(b"b").unwrap();
        let coded = encoder.finish().unwrap();
        let (read_back, _) = read(&coded, Coding::Zstd, 100).await;
        assert_eq!(read_back.is_ok(), is_read, "{window}: {read_back:?}");
    }
}

#[test]
fn one_coding_is_read() {
    let of = |values: &[&str]| {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((header::CONTENT_ENCODING, *value));
        }
        Coding::of(&request.to_http_request()).map_err(|rejection| rejection.code)
    };
    let refused = Err(Code::UnsupportedMediaType);
    for (values, coding) in [
        (&[][..], Ok(None)),
        (&["identity"], Ok(None)),
        (&["GZIP"], Ok(Some(Coding::Gzip))),
        (&["x-gzip"], Ok(Some(Coding::Gzip))),
        (&["identity, zstd"], Ok(Some(Coding::Zstd))),
        (&["identity", "gzip"], Ok(Some(Coding::Gzip))),
        (&["gzip, gzip"], refused),
        (&["gzip", "zstd"], refused),
        (&["br"], refused),
        (&["deflate"], refused),
        (&[""], refused),
        (&["gzip,"], refused),
    ] {
        assert_eq!(of(values), coding, "{values:?}");
    }
}
