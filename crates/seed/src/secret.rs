//! The password of an administrator: read, or generated.

use std::io::Read;

use lanterne_core::secret::NewPassword;

/// The variable with the password, for hosts without standard input.
pub(crate) const VARIABLE: &str = "seed_admin_password";
/// More than the longest password, in bytes.
const INPUT_BYTES_MAX: u64 = 4096;
/// 24 of these are 142 bits.
const CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 24;

/// The password of a new administrator.
pub(crate) struct Password {
    pub(crate) text: String,
    /// Whether nobody knows it until it is printed.
    pub(crate) is_generated: bool,
}

/// Returns the password in the variable, or generates one from the random bytes of `fill` if it may be printed.
///
/// # Errors
/// There is none, [`parse`] refuses it, or `fill` fails.
pub(crate) fn choose<E>(
    variable: Option<String>,
    may_print: bool,
    fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Password, String> {
    if let Some(text) = variable.filter(|text| !text.is_empty()) {
        return parse(&text, &format!("in {VARIABLE}"));
    }
    if !may_print {
        return Err(format!(
            "there is no password for the administrator: set SPIN_VARIABLE_{}, or pass --variable {VARIABLE}=@FILE; \
             --print-password generates and prints one, which Spin keeps in .spin/logs",
            VARIABLE.to_ascii_uppercase()
        ));
    }
    let text = generate(fill).map_err(|_| "no randomness for a password")?;
    Ok(Password { text, is_generated: true })
}

/// Reads a password from standard input.
///
/// # Errors
/// There is none, or [`parse`] refuses it.
pub(crate) fn read(input: impl Read) -> Result<Password, String> {
    let mut bytes = Vec::new();
    let read = input.take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| format!("standard input cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "standard input is not UTF-8")?;
    if text.trim_end_matches(['\r', '\n']).is_empty() {
        return Err(format!(
            "there is no password on standard input, which Spin does not pass on: set the variable {VARIABLE} there"
        ));
    }
    parse(&text, "on standard input")
}

/// Parses a password: all of `text`, without one line ending at its end. `place` says where it was, for an error.
///
/// # Errors
/// It is refused by the rules of `POST /auth/register`; the message does not repeat it.
fn parse(text: &str, place: &str) -> Result<Password, String> {
    let password = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    // Two lines are probably not one password.
    if password.contains(['\n', '\r', '\0']) {
        return Err(format!("the password {place} should be one line"));
    }
    let password = NewPassword::parse(password);
    let password = password.map_err(|fault| format!("the password {place} is refused: {fault}"))?;
    Ok(Password { text: password.expose().to_owned(), is_generated: false })
}

/// Generates a password of letters and digits from the random bytes of `fill`.
///
/// # Errors
/// That of `fill`.
fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
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

    use super::{choose, generate, read};

    fn fault(input: &[u8]) -> String {
        read(input).err().expect("it is refused")
    }

    #[test]
    fn a_password_is_generated_only_to_be_printed() {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(0);
            Ok::<_, Infallible>(())
        };
        let chosen = |variable: Option<&str>, may_print| {
            let password = choose(variable.map(str::to_owned), may_print, fill);
            password.map(|password| (password.text, password.is_generated))
        };
        for may_print in [false, true] {
            assert_eq!(chosen(Some("correct horse\n"), may_print), Ok(("correct horse".to_owned(), false)));
            let fault = chosen(Some("short"), may_print).expect_err("it is refused");
            assert!(fault.contains("in seed_admin_password is refused") && !fault.contains("short"), "{fault}");
        }
        for none in [None, Some("")] {
            assert_eq!(chosen(none, true), Ok(("A".repeat(24), true)));
            let fault = chosen(none, false).expect_err("there is no password");
            assert!(
                fault.contains("SPIN_VARIABLE_SEED_ADMIN_PASSWORD") && fault.contains("--print-password"),
                "{fault}"
            );
        }
    }

    #[test]
    fn one_line_ending_is_not_part_of_the_password() {
        for (input, password) in [
            ("correct horse", "correct horse"),
            ("correct horse\n", "correct horse"),
            ("correct horse\r\n", "correct horse"),
            ("  blanks count \n", "  blanks count "),
        ] {
            assert_eq!(read(input.as_bytes()).map(|read| read.text), Ok(password.to_owned()));
        }
    }

    #[test]
    fn the_password_is_validated_and_not_repeated() {
        for empty in [&b""[..], b"\n"] {
            assert!(fault(empty).starts_with("there is no password on standard input"));
        }
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
