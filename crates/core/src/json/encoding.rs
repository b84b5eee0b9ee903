//! Which Unicode encoding a JSON text is in, by CPython's `json.detect_encoding`.

use std::borrow::Cow;

/// The bytes as text without its byte order mark, or nothing if they are not valid in the detected encoding.
///
/// RFC 8259 asks for UTF-8 alone, but Python also reads UTF-16 and UTF-32, told apart by a mark or by where the first
/// zero bytes are: a JSON text starts with an ASCII character.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0, 0, 0xFE, 0xFF, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0, 0, _, _, ..] => utf32(bytes, u32::from_be_bytes),
        [0, _, _, _, ..] | [0, _] => utf16(bytes, u16::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [_, 0, _, _, ..] | [_, 0] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'static, str>> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect();
    text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Option<Cow<'static, str>> {
    let (units, rest) = bytes.as_chunks::<4>();
    let text: Option<String> = units.iter().map(|quad| char::from_u32(unit(*quad))).collect();
    text.filter(|_| rest.is_empty()).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn every_encoding_python_knows_reads_the_same_text() {
        let text = "{\"é\":\"😀\"}";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let with_mark: Vec<u16> = [&[0xFEFF], &utf16[..]].concat();
        let utf32: Vec<u32> = text.chars().map(u32::from).collect();
        let spellings: [Vec<u8>; 8] = [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            with_mark.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            with_mark.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf32.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        ];
        for bytes in &spellings {
            assert_eq!(decode(bytes).as_deref(), Some(text), "{bytes:x?}");
        }
    }

    #[test]
    fn broken_encodings_are_no_text() {
        let broken: [&[u8]; 6] = [
            b"\"\xFF\"",
            b"\"\xED\xA0\x80\"",
            b"\xFF\xFE\"",
            b"\"\0\x00\xD8\"\0",
            b"\"\0\0\0\x00\x00\x11\x00",
            b"\0\0\0\"\0",
        ];
        for bytes in broken {
            assert_eq!(decode(bytes), None, "{bytes:x?}");
        }
    }
}
