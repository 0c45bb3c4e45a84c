//! What a router says when it refuses: an RFC 9457 problem document, or something else from whatever stands at that
//! address.

use serde::Deserialize;

use crate::failure::{Exit, Failure, Next};

/// A refusal, as far as we can read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
    /// When events were refused one by one: their fates, in the order they were sent.
    pub(crate) entries: Vec<Entry>,
    /// How many of the first events need not be sent again.
    pub(crate) done: usize,
    /// What is wrong with the rules, as people read it.
    pub(crate) rendered: Option<String>,
}

/// What became of one event.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: Option<String>,
    pub(crate) error: Option<String>,
    /// It was taken in before, under the same idempotency key.
    #[serde(default)]
    pub(crate) duplicate: bool,
}

/// Body bytes that are no problem document are shown up to here.
const SHOWN_CHARS_MAX: usize = 300;

impl Problem {
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_default();
        if problem.title.is_none() && problem.detail.is_none() {
            problem.title = Some(format!("the answer was {status}"));
            let text: String =
                String::from_utf8_lossy(body).trim().chars().take(SHOWN_CHARS_MAX).collect();
            problem.detail = (!text.is_empty()).then_some(text);
        }
        problem
    }

    /// What the command ends with. Rules or a plugin that are refused are broken as a file is that one looks at.
    pub(crate) fn failure(&self) -> Failure {
        let broken = ["/problems/plugin-refused", "/problems/rules-refused"];
        let is_broken = broken.contains(&self.kind.as_str());
        let exit = if is_broken { Exit::BadConfiguration } else { Exit::Failed };
        Failure::new(exit, self.summary()).then(self.next())
    }

    /// What is tried next, as far as the kind of the refusal says it.
    fn next(&self) -> Next {
        let kind = self.kind.strip_prefix("/problems/").unwrap_or_default();
        let words: &[&str] = match kind {
            "unknown-bus" => &["status"],
            "unknown-rule" => &["rule", "ls"],
            "" | "internal" | "not-ready" | "overloaded" | "unavailable" => &["doctor"],
            "not-found" | "conflict" | "plugin-refused" | "rules-refused" => {
                return Next::OfVerb;
            }
            _ => return Next::Help,
        };
        Next::Try(words.iter().map(|&word| word.to_owned()).collect())
    }

    /// Title and detail in one line, without the entries; below what is wrong with the rules, if that is told.
    pub(crate) fn summary(&self) -> String {
        let line = match (&self.title, &self.detail) {
            (Some(title), Some(detail)) => format!("{title}: {detail}"),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => String::new(),
        };
        match &self.rendered {
            Some(rendered) => format!("{}\n{line}", rendered.trim_end()),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_shows_title_and_detail() {
        let body = br#"{"type":"/problems/unknown-bus","title":"unknown bus","status":404,"detail":"no bus \"x\""}"#;
        assert_eq!(Problem::read(404, body).summary(), "unknown bus: no bus \"x\"");
    }

    #[test]
    fn entries_keep_their_order_and_reasons() {
        let body = br#"{"title":"t","entries":[{"id":"1"},{"error":"no source"}]}"#;
        let problem = Problem::read(400, body);
        let reasons: Vec<Option<&str>> =
            problem.entries.iter().map(|entry| entry.error.as_deref()).collect();
        assert_eq!(reasons, [None, Some("no source")]);
    }

    #[test]
    fn the_page_of_a_proxy_is_shown_as_it_is() {
        let shown = Problem::read(502, b"<h1>Bad Gateway</h1>\n").summary();
        assert_eq!(shown, "the answer was 502: <h1>Bad Gateway</h1>");
        assert_eq!(Problem::read(500, b"").summary(), "the answer was 500");
    }
}
