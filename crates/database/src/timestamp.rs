//! Points in time, to the microsecond, as text in the database and in replies.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Unit};

use crate::{Error, FromValue, Value};

/// A point in time in UTC, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(Instant);

impl Timestamp {
    /// Reads the host's wall clock.
    #[must_use]
    pub fn now() -> Self {
        let now = Instant::now();
        Self(now.round(Unit::Microsecond).unwrap_or(now))
    }

    /// Converts Unix time in seconds; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        Instant::from_second(seconds).ok().map(Self)
    }

    /// Returns Unix time in whole seconds, the NumericDate of RFC 7519.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// Returns Unix time in whole milliseconds.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Adds `duration`, saturating at the end of the calendar.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(Instant::MAX))
    }

    /// Subtracts `duration`, saturating at the beginning of the calendar.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(Instant::MIN))
    }

    /// Returns the time elapsed since `earlier`, or zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).try_into().unwrap_or(Duration::ZERO)
    }

    /// Formats for the database: naive UTC with six digits, `2026-01-31 12:00:00.000000`, as SQLAlchemy writes a
    /// `DATETIME` column.
    #[must_use]
    pub fn to_sql(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
    }

    /// Parses RFC 3339, and what [`Self::to_sql`] writes. Accepts `T` or a blank before the time, no fraction or one of
    /// any length, and `Z`, an offset or nothing (UTC) at the end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<Instant>() {
            return Some(Self(instant));
        }
        let naive: DateTime = text.parse().ok()?;
        let zoned = naive.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp()))
    }

    /// Formats for replies: RFC 3339 in UTC, with six digits of fraction unless it is zero, as Python's `isoformat`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        if self.0.subsec_nanosecond() == 0 { format!("{:.0}", self.0) } else { format!("{:.6}", self.0) }
    }
}

impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Self {
        Self::Text(timestamp.to_sql())
    }
}

impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Result<Self, Error> {
        let text = String::from_value(value)?;
        Self::parse(&text).ok_or_else(|| Error::Column(format!("not a time: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap_or_else(|| panic!("{text} is a time"))
    }

    #[test]
    fn sql_text_round_trips_with_six_digits() {
        for text in ["2026-01-31 12:00:00.000000", "1999-12-31 23:59:59.000001"] {
            assert_eq!(at(text).to_sql(), text);
        }
    }

    #[test]
    fn other_spellings_of_the_same_time_are_read() {
        let same = at("2026-01-31 12:00:00.500000");
        for text in [
            "2026-01-31 12:00:00.5",
            "2026-01-31T12:00:00.500",
            "2026-01-31T12:00:00.500000Z",
            "2026-01-31 13:00:00.5+01:00",
        ] {
            assert_eq!(at(text), same, "{text}");
        }
        for text in ["", "now", "2026-13-01 00:00:00", "2026-01-31 25:00:00"] {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn replies_show_microseconds_unless_there_are_none() {
        assert_eq!(at("2026-01-31 12:00:00").to_rfc3339(), "2026-01-31T12:00:00Z");
        assert_eq!(at("2026-01-31 12:00:00.5").to_rfc3339(), "2026-01-31T12:00:00.500000Z");
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_the_calendar() {
        let start = at("2026-01-31 12:00:00");
        assert_eq!(start.after(Duration::from_secs(60)).unix() - start.unix(), 60);
        assert!(start.after(Duration::MAX) > start);
        assert_eq!(start.after(Duration::from_secs(60)).before(Duration::from_secs(60)), start);
        assert!(start.before(Duration::MAX) < start);
        assert_eq!(start.after(Duration::from_millis(1500)).since(start), Duration::from_millis(1500));
        assert_eq!(start.since(start.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
