//! Compressed events: MySQL's transaction payload (zstd) and MariaDB's rows and queries (zlib).
//!
//! The size after decompression is in the event, so a payload that decompresses to anything else is an error
//! here; a decoder that answered a damaged payload with nothing would lose a transaction.

use std::io::Read;

use super::StreamEnd;
use super::reader::Reader;

/// The events inside a TRANSACTION_PAYLOAD event, one behind the other, without checksums.
pub(super) fn transaction_payload(data: &[u8]) -> Result<Vec<u8>, StreamEnd> {
    const END: u64 = 0;
    const SIZE: u64 = 1;
    const COMPRESSION: u64 = 2;
    const UNCOMPRESSED_SIZE: u64 = 3;
    const ZSTD: u64 = 0;
    const NONE: u64 = 255;

    let mut reader = Reader::new(data);
    let (mut size, mut compression, mut uncompressed) = (None, None, None);
    loop {
        let field = reader.lenenc()?;
        if field == END {
            break;
        }
        let length = reader.lenenc_length()?;
        let mut value = Reader::new(reader.bytes(length)?);
        match field {
            SIZE => size = Some(value.lenenc()?),
            COMPRESSION => compression = Some(value.lenenc()?),
            UNCOMPRESSED_SIZE => uncompressed = Some(value.lenenc()?),
            _ => {}
        }
    }
    let payload = reader.rest();
    let fits = size == u64::try_from(payload.len()).ok();
    match (fits, compression, uncompressed) {
        (true, Some(ZSTD), Some(expected)) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(payload)
                .map_err(|error| damaged(&format!("the payload of a transaction: {error}")))?;
            decompress(decoder, expected)
        }
        (true, Some(NONE), _) => Ok(payload.to_vec()),
        _ => Err(damaged("the payload of a transaction")),
    }
}

/// What follows the head of a MariaDB compressed event: one byte with the algorithm and the width of the size, the
/// size, and the data.
pub(super) fn mariadb(data: &[u8]) -> Result<Vec<u8>, StreamEnd> {
    const ZLIB: u8 = 0;
    let mut reader = Reader::new(data);
    let head = reader.u8()?;
    if head >> 4 & 0x07 != ZLIB {
        return Err(damaged("an event compressed in an unknown way"));
    }
    let expected = reader.big(usize::from(head & 0x07))?;
    decompress(flate2::read::ZlibDecoder::new(reader.rest()), expected)
}

/// Everything `decoder` yields, which must be `expected` bytes.
fn decompress(decoder: impl Read, expected: u64) -> Result<Vec<u8>, StreamEnd> {
    let mut bytes = Vec::new();
    decoder
        .take(expected.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(&format!("a compressed event: {error}")))?;
    if u64::try_from(bytes.len()) != Ok(expected) {
        return Err(damaged("a compressed event of another size than it says"));
    }
    Ok(bytes)
}

fn damaged(what: &str) -> StreamEnd {
    StreamEnd::NotUnderstood(format!("the binary log holds {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn payload(size: u64, compression: u8, uncompressed: u64, data: &[u8]) -> Vec<u8> {
        let small = |value: u64| u8::try_from(value).unwrap();
        let mut event = vec![2, 1, compression, 3, 1, small(uncompressed), 1, 1, small(size), 0];
        event.extend_from_slice(data);
        event
    }

    #[test]
    fn payloads_are_checked() {
        let data = zstd::encode_all(&b"some events"[..], 3).unwrap();
        let size = u64::try_from(data.len()).unwrap();
        assert_eq!(
            transaction_payload(&payload(size, 0, 11, &data)).unwrap(),
            b"some events"
        );
        assert!(transaction_payload(&payload(size, 0, 10, &data)).is_err());
        assert!(transaction_payload(&payload(size, 0, 12, &data)).is_err());
        assert!(transaction_payload(&payload(size + 1, 0, 11, &data)).is_err());
        assert!(transaction_payload(&payload(size, 7, 11, &data)).is_err());
        assert!(transaction_payload(&payload(5, 0, 11, b"bytes")).is_err());
        let whole = payload(size, 0, 11, &data);
        for shorter in 0..whole.len() {
            assert!(transaction_payload(&whole[..shorter]).is_err(), "{shorter}");
        }
    }

    #[test]
    fn mariadb_data_is_checked() {
        let mut encoder = flate2::write::ZlibEncoder::new(vec![0x81, 9], flate2::Compression::default());
        encoder.write_all(b"some rows").unwrap();
        let whole = encoder.finish().unwrap();
        assert_eq!(mariadb(&whole).unwrap(), b"some rows");
        for shorter in 0..whole.len() - 5 {
            assert!(mariadb(&whole[..shorter]).is_err(), "{shorter}");
        }
        let mut other = whole;
        other[1] = 8;
        assert!(mariadb(&other).is_err());
    }
}
