//! The password of an administrator: read from standard input, or generated.

use std::io::Read;

use lanterne_core::secret::NewPassword;

/// More than the longest password, in bytes.
const INPUT_BYTES_MAX: u64 = 4096;
/// 24 of these are 142 bits.
const CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 24;

/// Reads a password: all of `input`, without one line ending at its end.
///
/// # Errors
/// It is refused by the rules of `POST /auth/register`; the message does not repeat it.
pub(crate) fn read(input: impl Read) -> Result<NewPassword, String> {
    let mut bytes = Vec::new();
    let read = input.take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| format!("standard input cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "standard input is not UTF-8")?;
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err("there is no password on standard input".to_owned());
    }
    // Two lines are probably not one password.
    if password.contains(['\n', '\r', '\0']) {
        return Err("the password on standard input should be one line".to_owned());
    }
    NewPassword::parse(password).map_err(|fault| format!("the password on standard input is refused: {fault}"))
}

/// Generates a password of letters and digits from the random bytes of `fill`.
///
/// # Errors
/// That of `fill`.
pub(crate) fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
    let mut password = String::with_capacity(LENGTH);
    let mut bytes = [0; 2 * LENGTH];
    while password.len() < LENGTH {
        fill(&mut bytes)?;
        // 248 is the greatest multiple of 62 in a byte: the bytes beyond would favour the first characters.
        let unbiased = bytes.iter().filter(|byte| **byte < 248);
        let characters = unbiased.map(|byte| char::from(CHARACTERS[usize::from(byte % 62)]));
        password.extend(characters.take(LENGTH - password.len()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{generate, read};

    fn fault(input: &[u8]) -> String {
        read(input).expect_err("it is refused")
    }

    #[test]
    fn one_line_ending_is_not_part_of_the_password() {
        for (input, password) in [
            ("correct horse", "correct horse"),
            ("correct horse\n", "correct horse"),
            ("correct horse\r\n", "correct horse"),
            ("  blanks count \n", "  blanks count "),
        ] {
            assert_eq!(read(input.as_bytes()).map(|read| read.expose().to_owned()), Ok(password.to_owned()));
        }
    }

    #[test]
    fn the_password_is_validated_and_not_repeated() {
        assert_eq!(fault(b""), "there is no password on standard input");
        assert_eq!(fault(b"\n"), "there is no password on standard input");
        assert_eq!(fault(b"first line\nsecond line\n"), "the password on standard input should be one line");
        assert_eq!(fault(b"\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc"), "standard input is not UTF-8");
        for (input, words) in [("secret7", "at least 8 characters"), (&"x".repeat(5000), "at most 100 characters")] {
            let fault = fault(input.as_bytes());
            assert!(fault.ends_with(words) && !fault.contains(input), "{fault}");
        }
    }

    #[test]
    fn a_generated_password_is_alphanumeric_and_unbiased() {
        let mut next = 240_u8;
        let fill = |bytes: &mut [u8]| {
            bytes.fill_with(|| {
                next = next.wrapping_add(1);
                next
            });
            Ok::<_, Infallible>(())
        };
        // 241 to 247 stand for the 56th to 62nd character, 248 to 255 for none, 0 for the first.
        assert_eq!(generate(fill), Ok("3456789ABCDEFGHIJKLMNOPQ".to_owned()));
    }
}
