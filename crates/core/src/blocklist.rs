//! Passwords that many would guess: common ones, and the address of the account (ASVS 5.0, 6.2.4 and 6.2.11).

use crate::secret::NewPassword;

/// The 10,000 most frequent passwords of at least eight characters in the list of zxcvbn (MIT, see NOTICE): in lower case,
/// sorted, one a line.
const COMMON: &str = include_str!("blocklist/common.txt");

/// Why a password is refused, in the words of the 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuessablePassword {
    /// It is in the list.
    #[error("This password is too common")]
    Common,
    /// It is the address of the account, or the part of it before the `@`.
    #[error("The password must not be the email address")]
    Address,
}

/// Refuses a common password and the address of the account, whatever the case of their letters.
///
/// # Errors
/// The password is one of these.
pub fn check(password: &NewPassword, email: &str) -> Result<(), GuessablePassword> {
    let (password, email) = (password.expose().to_lowercase(), email.to_lowercase());
    let local = email.rsplit_once('@').map_or("", |(local, _)| local);
    if password == email || password == local {
        return Err(GuessablePassword::Address);
    }
    if is_common(&password) { Err(GuessablePassword::Common) } else { Ok(()) }
}

/// Searches the list, without a copy of it.
fn is_common(password: &str) -> bool {
    let (mut start, mut end) = (0, COMMON.len());
    while start < end {
        // The line around the middle.
        let middle = start + (end - start) / 2;
        let line_start = COMMON[start..middle].rfind('\n').map_or(start, |at| start + at + 1);
        let line_end = COMMON[middle..end].find('\n').map_or(end, |at| middle + at);
        match COMMON[line_start..line_end].cmp(password) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => start = (line_end + 1).min(end),
            std::cmp::Ordering::Greater => end = line_start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{COMMON, GuessablePassword, check, is_common};
    use crate::secret::NewPassword;

    #[test]
    fn the_list_is_sorted_and_each_line_is_found() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert_eq!(lines.len(), 10_000);
        assert!(
            COMMON.is_ascii() && lines.is_sorted() && lines.iter().all(|line| line.len() >= NewPassword::CHARS_MIN)
        );
        for line in lines {
            assert!(is_common(line), "{line}");
            assert!(!is_common(&format!("{line}~")) && !is_common(&format!("!{line}")), "{line}");
        }
        assert!(!is_common("") && !is_common("\n"));
    }

    #[test]
    fn common_passwords_and_the_address_are_refused() {
        let check = |password: &str| check(&NewPassword::parse(password).unwrap(), "long.name@example.com");
        assert_eq!(check("PassWord"), Err(GuessablePassword::Common));
        assert_eq!(check("Long.Name@EXAMPLE.com"), Err(GuessablePassword::Address));
        assert_eq!(check("long.name"), Err(GuessablePassword::Address));
        assert_eq!(check("long.name and more"), Ok(()));
        assert_eq!(check("correct horse battery staple"), Ok(()));
    }
}
