//! The formats of log lines.

use std::fmt::Write as _;

use clap::ValueEnum;
use lanterne_database::Timestamp;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};

/// The maximum length of a logged message, in characters.
const MESSAGE_CHARS_MAX: usize = 2000;

/// The format of log lines.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// `2026-01-31T12:00:00.000000Z INFO  request method=GET status=200`
    Text,
    /// `{"time":"2026-01-31T12:00:00.000000Z","level":"info","message":"request","method":"GET","status":200}`
    Json,
}

impl Format {
    /// Formats a record, without the end of the line.
    pub(super) fn line(self, record: &Record<'_>) -> String {
        let mut line = self.start(record.level(), &record.args().to_string());
        // Writing to a string cannot fail.
        let _ = record.key_values().visit(&mut Fields { format: self, line: &mut line });
        if matches!(self, Self::Json) {
            line.push('}');
        }
        line
    }

    /// Formats the report of lines that were not written.
    pub(super) fn dropped(self, count: u64) -> String {
        let message = format!("the log could not be written fast enough, or not at all: {count} lines are missing");
        self.line(&Record::builder().level(Level::Warn).args(format_args!("{message}")).build())
    }

    fn start(self, level: Level, message: &str) -> String {
        let time = Timestamp::now().to_rfc3339();
        let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
        match self {
            Self::Text => format!("{time} {level:<5} {}", without_controls(&message)),
            Self::Json => {
                let level = level.as_str().to_lowercase();
                format!(r#"{{"time":"{time}","level":"{level}","message":{}"#, serde_json::Value::from(message))
            }
        }
    }
}

/// Appends the fields of a record to its line.
struct Fields<'a> {
    format: Format,
    line: &'a mut String,
}

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match self.format {
            Format::Text => write!(self.line, " {key}={}", text(&value))?,
            Format::Json => write!(self.line, ",{}:{}", serde_json::Value::from(key.as_str()), json(&value))?,
        }
        Ok(())
    }
}

/// Formats a value as text, quoted if it contains a separator.
fn text(value: &Value<'_>) -> String {
    let text = value.to_string();
    let is_plain =
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c));
    if is_plain { text } else { format!("{text:?}") }
}

fn json(value: &Value<'_>) -> serde_json::Value {
    let number = value.to_u64().map(serde_json::Value::from).or_else(|| value.to_f64().map(serde_json::Value::from));
    number.unwrap_or_else(|| value.to_string().into())
}

/// Escapes control characters, which would end the line or change the terminal.
fn without_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats a record and removes the time.
    fn line(format: Format, message: &str) -> String {
        let fields = [("path", Value::from("/a=b c")), ("status", Value::from(200)), ("ms", Value::from(0.5))];
        let line = format
            .line(&Record::builder().level(Level::Info).args(format_args!("{message}")).key_values(&fields).build());
        let (before, after) = line.split_once("20").unwrap();
        let (_, after) = after.split_once('Z').unwrap();
        format!("{before}TIME{after}")
    }

    #[test]
    fn text_and_json_have_the_same_fields() {
        assert_eq!(line(Format::Text, "request"), r#"TIME INFO  request path="/a=b c" status=200 ms=0.5"#);
        let json = r#"{"time":"TIME","level":"info","message":"request","path":"/a=b c","status":200,"ms":0.5}"#;
        assert_eq!(line(Format::Json, "request"), json);
    }

    #[test]
    fn a_message_is_one_line() {
        let message = "two\nlines \x1b[31m\"";
        assert!(line(Format::Text, message).starts_with(r#"TIME INFO  two\nlines \u{1b}[31m" path"#));
        assert!(line(Format::Json, message).contains(r#""message":"two\nlines \u001b[31m\"""#));
        assert!(line(Format::Text, &"x".repeat(1 << 20)).len() < 2200);
    }
}
