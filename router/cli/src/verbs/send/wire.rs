//! The request that a batch of events is, and what its answer says of each.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::dialect::Dialect;
use crate::client::{Answer, Media, escaped};
use crate::problem::{Entry, Problem};

/// The most that PutEvents takes at once.
pub(super) const PUT_ENTRIES_MAX: u16 = 10;

const PUT_EVENTS: Media =
    Media { media: "application/x-amz-json-1.1", operation: Some("AWSEvents.PutEvents") };

/// Path, headers and body.
pub(super) fn request(
    dialect: Dialect,
    bus: &str,
    batch: &[Box<RawValue>],
) -> (String, Media, String) {
    let events: Vec<&str> = batch.iter().map(|event| event.get()).collect();
    let list = format!("[{}]", events.join(","));
    let path = format!("/buses/{}/events", escaped(bus));
    let media = |media| Media { media, operation: None };
    match dialect {
        Dialect::Plain => (path, media("application/json"), list),
        Dialect::Cloudevents => (path, media("application/cloudevents-batch+json"), list),
        Dialect::Eventbridge => ("/".to_owned(), PUT_EVENTS, format!(r#"{{"Entries":{list}}}"#)),
    }
}

/// Why there are no fates.
pub(super) enum Unread {
    Refused(Box<Problem>),
    /// What answers is no router.
    Strange(serde_json::Error),
}

/// What became of each event, in their order.
pub(super) fn fates(dialect: Dialect, answer: &Answer) -> Result<Vec<Entry>, Unread> {
    #[derive(Deserialize)]
    struct Accepted {
        entries: Vec<Entry>,
    }
    let is_good = (200..300).contains(&answer.status);
    match dialect {
        Dialect::Eventbridge if is_good => put_fates(&answer.body).map_err(Unread::Strange),
        Dialect::Plain | Dialect::Cloudevents if is_good => {
            let accepted: Accepted =
                serde_json::from_slice(&answer.body).map_err(Unread::Strange)?;
            Ok(accepted.entries)
        }
        Dialect::Eventbridge => Err(Unread::Refused(Box::new(exception(answer)))),
        Dialect::Plain | Dialect::Cloudevents => {
            let problem = Problem::read(answer.status, &answer.body);
            if problem.entries.is_empty() {
                return Err(Unread::Refused(Box::new(problem)));
            }
            Ok(problem.entries)
        }
    }
}

fn put_fates(body: &[u8]) -> Result<Vec<Entry>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Result {
        entries: Vec<Fate>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Fate {
        event_id: Option<String>,
        error_code: Option<String>,
        error_message: Option<String>,
    }
    let result: Result = serde_json::from_slice(body)?;
    let entry = |fate: Fate| Entry {
        id: fate.event_id,
        error: fate.error_code.map(|code| match fate.error_message {
            Some(message) => format!("{code}: {message}"),
            None => code,
        }),
        duplicate: false,
    };
    Ok(result.entries.into_iter().map(entry).collect())
}

/// A refusal as AWS writes it, or whatever it is.
fn exception(answer: &Answer) -> Problem {
    #[derive(Deserialize)]
    struct Exception {
        #[serde(rename = "__type")]
        kind: String,
        message: String,
    }
    let mut problem = Problem::read(answer.status, &answer.body);
    if let Ok(Exception { kind, message }) = serde_json::from_slice(&answer.body) {
        (problem.title, problem.detail) = (Some(kind), Some(message));
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_travels_as_its_dialect_says() {
        let batch = ["{}", "{ }"].map(|text| RawValue::from_string(text.to_owned()).unwrap());
        let of = |dialect| {
            let (path, media, body) = request(dialect, "a b", &batch);
            format!("{path} {} {body}", media.media)
        };
        assert_eq!(of(Dialect::Plain), "/buses/a%20b/events application/json [{},{ }]");
        let put = "/ application/x-amz-json-1.1 {\"Entries\":[{},{ }]}";
        assert_eq!(of(Dialect::Eventbridge), put);
    }

    #[test]
    fn what_putevents_answers_is_read() {
        let answer = |status, body: &'static str| Answer { status, date: None, body: body.into() };
        let good = answer(
            200,
            r#"{"FailedEntryCount":1,"Entries":[{"EventId":"e-1"},{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}]}"#,
        );
        let Ok(fates) = fates(Dialect::Eventbridge, &good) else { panic!("a good answer") };
        assert_eq!(fates[0].id.as_deref(), Some("e-1"));
        assert_eq!(fates[1].error.as_deref(), Some("MalformedDetail: Detail is malformed."));
        let bad = answer(400, r#"{"__type":"ValidationException","message":"too many"}"#);
        assert_eq!(exception(&bad).summary(), "ValidationException: too many");
        let proxy = answer(502, "<h1>");
        assert_eq!(exception(&proxy).summary(), "the answer was 502: <h1>");
    }
}
