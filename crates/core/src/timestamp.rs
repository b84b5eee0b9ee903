//! Points in time, to the microsecond, in the two spellings that clients and the database know.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Unit};

use crate::db::{self, FromValue, Value};

/// A point in time in UTC, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(Instant);

impl Timestamp {
    /// The host's wall clock, now.
    #[must_use]
    pub fn now() -> Self {
        let now = Instant::now();
        Self(now.round(Unit::Microsecond).unwrap_or(now))
    }

    /// `seconds` since 1970-01-01T00:00:00Z; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        Instant::from_second(seconds).ok().map(Self)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, as `exp` of a token has them (RFC 7519, NumericDate).
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// Whole milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// This point in time plus `duration`; the end of the calendar if that is beyond it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(Instant::MAX))
    }

    /// This point in time minus `duration`; the beginning of the calendar if that is before it.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(Instant::MIN))
    }

    /// How long before this point in time `earlier` was; zero if it was not before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).try_into().unwrap_or(Duration::ZERO)
    }

    /// As the database keeps it: naive UTC with six digits, `2026-01-31 12:00:00.000000`,
    /// the text that SQLAlchemy writes for a `DATETIME` column.
    #[must_use]
    pub fn to_sql(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
    }

    /// Reads what [`Self::to_sql`] writes, and the shorter spellings that other programs leave in
    /// such a column: no fraction, fewer digits, `T` for the blank, a `Z` or an offset at the end.
    #[must_use]
    pub fn from_sql(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<Instant>() {
            return Some(Self(instant));
        }
        let naive: DateTime = text.parse().ok()?;
        let zoned = naive.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp()))
    }

    /// As replies carry it: RFC 3339 in UTC with microseconds, or none where there are none,
    /// which is how Python's `isoformat` spells it.
    #[must_use]
    pub fn to_json(self) -> String {
        if self.0.subsec_nanosecond() == 0 { format!("{:.0}", self.0) } else { format!("{:.6}", self.0) }
    }
}

impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Self {
        Self::Text(timestamp.to_sql())
    }
}

impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Result<Self, db::Error> {
        let text = String::from_value(value)?;
        Self::from_sql(&text).ok_or_else(|| db::Error::Column(format!("not a time: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_sql(text).unwrap_or_else(|| panic!("{text} is a time"))
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
            assert_eq!(Timestamp::from_sql(text), None, "{text:?}");
        }
    }

    #[test]
    fn replies_show_microseconds_unless_there_are_none() {
        assert_eq!(at("2026-01-31 12:00:00").to_json(), "2026-01-31T12:00:00Z");
        assert_eq!(at("2026-01-31 12:00:00.5").to_json(), "2026-01-31T12:00:00.500000Z");
    }

    #[test]
    fn reckoning_stops_at_the_ends_of_the_calendar() {
        let start = at("2026-01-31 12:00:00");
        assert_eq!(start.after(Duration::from_secs(60)).unix() - start.unix(), 60);
        assert!(start.after(Duration::MAX) > start);
        assert_eq!(start.after(Duration::from_secs(60)).before(Duration::from_secs(60)), start);
        assert!(start.before(Duration::MAX) < start);
        assert_eq!(start.after(Duration::from_millis(1500)).since(start), Duration::from_millis(1500));
        assert_eq!(start.since(start.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
