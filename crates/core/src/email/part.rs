//! A part of an address to search for.

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};

use super::characters::is_python_space;
use super::mailbox;

/// What UTS #46 maps to the period between labels.
const PERIODS: [char; 4] = ['.', '。', '．', '｡'];

/// A part of an address, normalized as far as a part can be. Compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailPart(Vec<String>);

impl EmailPart {
    /// Normalizes what a person typed, as [`super::Email::parse`] does for a whole address. Any text is accepted: one that
    /// is in no address matches none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = mailbox::address_in_brackets(text).unwrap_or(text).trim_matches(is_python_space);
        if let Some((local, domain)) = text.split_once('@') {
            return Self(vec![format!("{}@{}", mailbox::compose(local), domain_part(domain))]);
        }
        let (local, domain) = (mailbox::compose(text).into_owned(), domain_part(text));
        let is_one = local.to_lowercase() == domain;
        Self(if is_one { vec![local] } else { vec![local, domain] })
    }

    /// Returns the texts of which an address contains one: without an @-sign, the part may belong to either side of it.
    pub(crate) fn forms(&self) -> &[String] {
        &self.0
    }
}

/// Returns a part of a domain in lower-case Unicode. A label that is cut off may not be valid by itself, such as one that
/// starts with a combining mark.
fn domain_part(text: &str) -> String {
    let label = |label: &str| {
        let (unicode, validity) = Uts46::new().to_unicode(label.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
        validity.map_or_else(|_| mailbox::compose(label).to_lowercase(), |()| unicode.into_owned())
    };
    Vec::from_iter(text.split(PERIODS).map(label)).join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_normal_form_of_either_side() {
        for (text, forms) in [
            ("ann", &["ann"] as &[&str]),
            (" ANN\t", &["ANN"]),
            ("JOSE\u{301}", &["JOS\u{c9}"]),
            ("BÜCHER", &["BÜCHER"]),
            ("BU\u{308}CHER.de", &["BÜCHER.de"]),
            ("xn--bcher-kva", &["xn--bcher-kva", "bücher"]),
            ("XN--BCHER-KVA.DE", &["XN--BCHER-KVA.DE", "bücher.de"]),
            ("xn--bcher-", &["xn--bcher-"]),
            ("ｌａｎterne", &["ｌａｎterne", "lanterne"]),
            (".bücher。d", &[".bücher。d", ".bücher.d"]),
            ("\u{301}cole", &["\u{301}cole"]),
            ("50%_", &["50%_"]),
            ("", &[""]),
        ] {
            assert_eq!(EmailPart::parse(text).forms(), forms, "{text}");
        }
    }

    #[test]
    fn the_at_sign_separates_the_sides() {
        for (text, form) in [
            ("JOSE\u{301}@BU\u{308}CHER.de", "JOSÉ@bücher.de"),
            ("@XN--BCHER-KVA", "@bücher"),
            ("xn--bcher-kva@", "xn--bcher-kva@"),
            ("Ann <ann@LANTERNE.org>", "ann@lanterne.org"),
            ("a@b@c", "a@b@c"),
        ] {
            assert_eq!(EmailPart::parse(text).forms(), [form], "{text}");
        }
    }
}
