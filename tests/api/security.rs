//! `SECURITY.md` names a test for each promise: `path/of/file.rs::name_of_the_test`.

use std::fs;
use std::path::Path;

/// The code spans of `SECURITY.md` that name a test: file and name.
fn named_tests() -> Vec<(&'static str, &'static str)> {
    let spans = include_str!("../../SECURITY.md").split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once("::")).filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Returns whether `source` has a test with this name: `#[test]`, perhaps other attributes, and the function.
fn has_test(source: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let mut lines = source.lines().map(str::trim).rev().skip_while(|line| !line.starts_with(&function)).skip(1);
    lines.by_ref().take_while(|line| line.starts_with("#[")).any(|line| line == "#[test]")
}

#[test]
fn every_test_that_the_security_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests = named_tests();
    assert!(tests.len() >= 60, "{} tests", tests.len());
    for (file, name) in tests {
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, name), "{file} has no test {name}");
    }
}

#[test]
fn the_security_document_covers_each_item_of_three_chapters() {
    let document = include_str!("../../SECURITY.md");
    // The number of items in each section of ASVS 5.0, chapters 6, 7 and 9.
    let chapters: [(u32, &[u32]); 3] = [(6, &[3, 12, 8, 6, 8, 4, 2, 4]), (7, &[3, 4, 2, 5, 3, 2]), (9, &[3, 4])];
    for (chapter, sections) in chapters {
        for (section, items) in (1..).zip(sections) {
            for item in 1..=*items {
                let line = format!("\n| {chapter}.{section}.{item} |");
                assert_eq!(document.matches(&line).count(), 1, "{line}");
            }
        }
    }
}
