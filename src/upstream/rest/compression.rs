//! Floor 5. Undoes compression that nobody asked for: some servers compress whatever is asked for,
//! and what they say must not be lost for that. What comes out is bounded like any other body.

use std::io::Read;

use bytes::Bytes;

/// Why a body could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody here knows the compression.
    Unknown,
    /// More came out than the source permits.
    TooLarge,
    /// The body is torn or no such thing.
    Broken,
}

/// Decompresses a body to at most `cap` bytes.
pub(super) fn undo(encoding: &[u8], body: &Bytes, cap: usize) -> Result<Bytes, Fault> {
    let (out, end) = read(encoding, body, cap)?;
    match end {
        End::Whole => Ok(out),
        End::More => Err(Fault::TooLarge),
        End::Torn => Err(Fault::Broken),
    }
}

/// As much as can be decompressed, at most `cap` bytes: of an error a part is better than nothing.
pub(super) fn start(encoding: &[u8], body: &Bytes, cap: usize) -> Bytes {
    read(encoding, body, cap).map(|(out, _)| out).unwrap_or_default()
}

enum End {
    Whole,
    More,
    Torn,
}

fn read(encoding: &[u8], body: &Bytes, cap: usize) -> Result<(Bytes, End), Fault> {
    let mut reader: Box<dyn Read + '_> = match encoding.to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => Box::new(flate2::read::MultiGzDecoder::new(&**body)),
        b"deflate" => Box::new(flate2::read::ZlibDecoder::new(&**body)),
        b"br" => Box::new(brotli_decompressor::Decompressor::new(&**body, 4096)),
        _ => return Err(Fault::Unknown),
    };
    let mut out = Vec::with_capacity(cap.min(body.len().saturating_mul(4)));
    let mut buffer = [0_u8; 8192];
    let end = loop {
        match reader.read(&mut buffer) {
            Ok(0) => break End::Whole,
            Ok(count) => {
                let room = cap - out.len();
                out.extend_from_slice(buffer.get(..count.min(room)).unwrap_or(&[]));
                if count > room {
                    break End::More;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break End::Torn,
        }
    };
    Ok((out.into(), end))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write};

    use super::*;

    fn gzip(text: &[u8]) -> Bytes {
        let mut encoder = write::GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zlib(text: &[u8]) -> Bytes {
        let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    /// `{"a":1}` in one uncompressed metablock (RFC 7932 §9.2).
    const BROTLI: &[u8] = &[0x0B, 0x03, 0x80, b'{', b'"', b'a', b'"', b':', b'1', b'}', 0x03];

    #[test]
    fn what_is_known_is_undone_up_to_the_cap() {
        let zeros = vec![0; 10 << 20];
        let torn = gzip(b"hello, hello, hello, hello").slice(..20);
        for (encoding, body, expected) in [
            ("gzip", gzip(b"hello"), Ok("hello")),
            ("X-GZIP", gzip(b"hello"), Ok("hello")),
            ("deflate", zlib(b"hello"), Ok("hello")),
            ("br", Bytes::from_static(BROTLI), Ok("{\"a\":1}")),
            ("gzip", gzip(&zeros), Err(Fault::TooLarge)),
            ("deflate", zlib(&zeros), Err(Fault::TooLarge)),
            ("gzip", torn, Err(Fault::Broken)),
            ("gzip", Bytes::from_static(b"plain"), Err(Fault::Broken)),
            ("br", Bytes::from_static(b"plain text here"), Err(Fault::Broken)),
            ("zstd", Bytes::from_static(b"x"), Err(Fault::Unknown)),
        ] {
            let found = undo(encoding.as_bytes(), &body, 64 * 1024);
            assert_eq!(found, expected.map(|text| Bytes::from_static(text.as_bytes())), "{encoding}");
        }
        assert_eq!(undo(b"gzip", &gzip(b"12345"), 5), Ok(Bytes::from_static(b"12345")));
        assert_eq!(start(b"gzip", &gzip(&zeros), 7).len(), 7);
        assert_eq!(start(b"zstd", &gzip(b"x"), 7).len(), 0);
    }
}
