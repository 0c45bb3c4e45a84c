//! The outcome of tests as JUnit's XML, which continuous integration reads.
//!
//! ```text
//! testsuites > testsuite (a file) > testcase (classname: the rule, or the file) > failure
//! ```
//!
//! # Invariants
//!
//! - It is well-formed XML 1.0, whatever a test is called: characters that XML cannot hold become U+FFFD.
//!
//! # Not here
//!
//! - Times: the tests of a file take microseconds, and the attribute is there because readers want it.

use std::fmt::Write as _;

use server::offline::TestOutcome;

/// The report of all tests, grouped by their files, in the order they ran.
pub(crate) fn report(outcomes: &[TestOutcome]) -> String {
    let mut suites: Vec<(&str, Vec<&TestOutcome>)> = Vec::new();
    for outcome in outcomes {
        match suites.last_mut() {
            Some((path, all)) if *path == outcome.path => all.push(outcome),
            _ => suites.push((&outcome.path, vec![outcome])),
        }
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = counts(&outcomes.iter().collect::<Vec<_>>());
    put(&mut out, &format!("<testsuites name=\"slipswitch test\" {counts}>\n"));
    for (path, all) in suites {
        let counts = self::counts(&all);
        put(&mut out, &format!("  <testsuite name=\"{}\" {counts}>\n", escaped(path)));
        all.iter().for_each(|outcome| case(&mut out, outcome));
        put(&mut out, "  </testsuite>\n");
    }
    put(&mut out, "</testsuites>\n");
    out
}

fn case(out: &mut String, outcome: &TestOutcome) {
    let TestOutcome { rule, test, path, line, .. } = outcome;
    let class = escaped(rule.as_deref().unwrap_or(path));
    let (name, file) = (escaped(test), escaped(path));
    let head = format!(
        "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{file}\" line=\"{line}\" time=\"0\""
    );
    match failure(outcome) {
        None => put(out, &format!("{head}/>\n")),
        Some(why) => {
            let why = escaped(why);
            put(out, &format!("{head}>\n      <failure type=\"expectation\" message=\"{why}\">"));
            put(out, &format!("{file}:{line}: {why}</failure>\n    </testcase>\n"));
        }
    }
}

/// What was wrong when all was said and done.
fn failure(outcome: &TestOutcome) -> Option<&str> {
    outcome.failure.as_deref().filter(|_| !outcome.updated)
}

fn counts(outcomes: &[&TestOutcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| failure(outcome).is_some()).count();
    format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"0\"", outcomes.len())
}

fn put(out: &mut String, text: &str) {
    out.push_str(text);
}

/// For an attribute or a text of XML 1.0.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                write!(out, "&#{};", u32::from(c)).expect("a String takes every text");
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rule: Option<&str>, test: &str, failure: Option<&str>) -> TestOutcome {
        TestOutcome {
            rule: rule.map(str::to_owned),
            test: test.to_owned(),
            path: format!("rules/{}.yaml", rule.unwrap_or("x.events")),
            line: 7,
            failure: failure.map(str::to_owned),
            updated: false,
        }
    }

    #[test]
    fn any_name_and_any_failure_come_back_out_of_a_reader_of_xml() {
        let wild = "a <b> & \"c\" 'd' \t\n\r\u{0}\u{1b}[31m]]> \u{fffe}\u{ffff} đơn 😀";
        let held = wild.replace(['\u{0}', '\u{1b}', '\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let outcomes = [
            outcome(Some("a"), "good", None),
            outcome(Some("a"), wild, Some(wild)),
            outcome(None, "line 3", Some("no")),
        ];
        let text = report(&outcomes);
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let attributes = |node: roxmltree::Node<'_, '_>, names: &[&str]| {
            let all = names.iter().map(|name| node.attribute(*name).unwrap().to_owned());
            all.collect::<Vec<_>>()
        };
        assert_eq!(root.tag_name().name(), "testsuites");
        assert_eq!(attributes(root, &["tests", "failures", "errors"]), ["3", "2", "0"]);
        let suites: Vec<_> = root.children().filter(roxmltree::Node::is_element).collect();
        let heads: Vec<_> =
            suites.iter().map(|suite| attributes(*suite, &["name", "tests", "failures"])).collect();
        assert_eq!(heads, [["rules/a.yaml", "2", "1"], ["rules/x.events.yaml", "1", "1"]]);
        let cases: Vec<_> =
            root.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(attributes(cases[0], &["classname", "name", "time"]), ["a", "good", "0"]);
        assert_eq!(cases[0].children().count(), 0);
        assert_eq!(attributes(cases[1], &["name", "line"]), [held.as_str(), "7"]);
        let failure = cases[1].children().find(|node| node.has_tag_name("failure")).unwrap();
        assert_eq!(failure.attribute("message").unwrap(), held);
        assert_eq!(failure.text().unwrap(), format!("rules/a.yaml:7: {held}"));
        assert_eq!(attributes(cases[2], &["classname"]), ["rules/x.events.yaml"]);
    }

    #[test]
    fn a_test_that_was_updated_passes_and_no_test_is_a_report_too() {
        let updated = TestOutcome { updated: true, ..outcome(Some("a"), "t", Some("no")) };
        assert!(!report(&[updated]).contains("<failure"));
        assert!(roxmltree::Document::parse(&report(&[])).is_ok());
    }
}
