//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// The media type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Builds the text of an exposition, one metric family after the other.
#[derive(Default)]
pub(crate) struct Exposition(String);

/// The type of a family.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    /// Begins a family, whose samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Adds a sample with the text of [`labels`].
    pub(crate) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            _ => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// Adds a gauge with one sample.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, "", value);
    }

    /// Returns the text.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Formats labels: `a="b",c="d"`.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    let pair = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escape(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_values_are_escaped() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "one\\\ntwo \"2\"");
        text.sample("a_total", &labels(&[("x", "\\ \" \n"), ("y", "é")]), 1.5);
        text.gauge("b", "Help.", 3);
        let expected = r#"# HELP a_total one\\\ntwo "2"
# TYPE a_total counter
a_total{x="\\ \" \n",y="é"} 1.5
# HELP b Help.
# TYPE b gauge
b 3
"#;
        assert_eq!(text.into_text(), expected);
    }
}
