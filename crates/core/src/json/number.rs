//! Numbers: how far they reach in a text, and how Python writes them again.

/// CPython refuses to convert longer integers (`sys.int_info.default_max_str_digits`), since the time is quadratic.
const INTEGER_DIGITS_MAX: usize = 4300;

/// A number as the text that Python's `json.dumps` writes for it, so that integers stay exact at any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(String);

impl Number {
    /// Reads the text of a JSON number.
    pub(super) fn parse(text: &str) -> Result<Self, NumberFault> {
        if !text.ends_with(|last: char| last.is_ascii_digit()) {
            return Err(NumberFault::NoDigits);
        }
        if text.contains(['.', 'e', 'E']) {
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            return value.map(Self::float).ok_or(NumberFault::OutOfRange);
        }
        match text.trim_start_matches('-').len() {
            0..=INTEGER_DIGITS_MAX => Ok(Self::integer(text)),
            _ => Err(NumberFault::TooLong),
        }
    }

    /// The integer spelled by an optional minus sign and decimal digits. Python has no negative zero among integers.
    fn integer(digits: &str) -> Self {
        Self(if digits == "-0" { "0" } else { digits }.to_owned())
    }

    /// A finite float, by the rule of Python's `repr(float)`: the shortest digits that read back as the same float,
    /// in positional notation while the decimal exponent is from -4 to 15, otherwise with an exponent of two digits.
    fn float(value: f64) -> Self {
        let shortest = format!("{value:e}");
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        // Of two shortest spellings equally near, Rust takes the upper one and Python the even one, as Rust does when
        // the number of digits is given.
        if (-4..=15).contains(&exponent) {
            let places = decimals.saturating_add_signed(-exponent as isize).max(1);
            return Self(same_float(value, format!("{value:.places$}"), format!("{value:?}")));
        }
        let even = same_float(value, format!("{value:.decimals$e}"), shortest.clone());
        let mantissa = even.split_once('e').map_or("", |(mantissa, _)| mantissa);
        Self(format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()))
    }

    /// The number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn same_float(value: f64, text: String, otherwise: String) -> String {
    if text.parse() == Ok(value) { text } else { otherwise }
}

/// Why a text is no number that a reply could echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFault {
    /// A minus sign without digits.
    NoDigits,
    /// A float beyond the range of a double.
    OutOfRange,
    /// More digits than CPython converts.
    TooLong,
}

/// How many bytes at the start of the text belong to a number, by the grammar of RFC 8259. A point or an `e` without
/// digits behind it does not.
pub(super) fn length(text: &str) -> usize {
    let digits_from = |start: usize| text.as_bytes()[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let byte_at = |at: usize| text.as_bytes().get(at).copied();

    let mut end = usize::from(byte_at(0) == Some(b'-'));
    let integer_digits = if byte_at(end) == Some(b'0') { 1 } else { digits_from(end) };
    end += integer_digits;
    if integer_digits == 0 {
        return end;
    }
    if byte_at(end) == Some(b'.') && digits_from(end + 1) > 0 {
        end += 1 + digits_from(end + 1);
    }
    if matches!(byte_at(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte_at(end + 1), Some(b'+' | b'-')));
        let digits = digits_from(end + 1 + sign);
        end += if digits > 0 { 1 + sign + digits } else { 0 };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::{INTEGER_DIGITS_MAX, Number, NumberFault, length};

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (100.0, "100.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (123456789.125, "123456789.125"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.2345678901234567e+20, "1.2345678901234567e+20"),
            (-5e-324, "-5e-324"),
            (79_856_250_186_242.13, "79856250186242.12"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, text) in cases {
            assert_eq!(Number::float(value).as_str(), text);
        }
    }

    #[test]
    fn integers_keep_every_digit_up_to_pythons_limit() {
        let longest = "9".repeat(INTEGER_DIGITS_MAX);
        for text in ["0", "-1", "18446744073709551616", &longest, &format!("-{longest}")] {
            assert_eq!(Number::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(Number::parse("-0").unwrap().as_str(), "0");
        assert_eq!(Number::parse(&format!("{longest}9")), Err(NumberFault::TooLong));
        assert_eq!(Number::parse("-1e309"), Err(NumberFault::OutOfRange));
        assert_eq!(Number::parse("-"), Err(NumberFault::NoDigits));
    }

    #[test]
    fn a_number_ends_where_the_grammar_says() {
        let cases = [
            ("01", 1),
            ("-0.50x", 5),
            ("1.", 1),
            ("1.e1", 1),
            ("1e5.", 3),
            ("1E+05", 5),
            ("1e-", 1),
            ("-x", 1),
            ("-.5", 1),
            ("-e5", 1),
            ("12]", 2),
        ];
        for (text, bytes) in cases {
            assert_eq!(length(text), bytes, "{text}");
        }
    }
}
