//! A target of EventBridge's as one of ours.

use super::build::{as_text, list, literal, map, member, members, number, set, text};
use super::destination::{Destination, Destinations};
use super::notes::Notes;
use super::rule::json;
use crate::yaml::{Filling, Member, Node, Span, Value};

/// Of EventBridge, the first attempt not counted; ours counts it.
const RETRIES_MAX: u64 = 185;

/// Keys of a target that hold others.
const MAPS: [&str; 4] = ["RetryPolicy", "HttpParameters", "SqsParameters", "KinesisParameters"];

/// The target; none when it goes nowhere, which is noted.
pub(super) fn translate(
    node: &Node,
    destinations: &dyn Destinations,
    notes: &mut Notes,
) -> Option<Node> {
    let id = match node.member("Id") {
        Some(id) if notes.is_known(&id.value, "Id") => id.value.clone(),
        Some(_) => return None,
        None => {
            notes.lost(&node.span, "Targets.Id", "the target has no id");
            return None;
        }
    };
    let target = format!("Targets.{}", as_text(&id).unwrap_or_default());
    let mut here = destination(node, &target, destinations, notes)?;
    let mut steps = Vec::new();
    for Member { key, key_span, value } in members(node) {
        let place = format!("{target}.{key}");
        if MAPS.contains(&key.as_str()) && !matches!(value.value, Value::Map(_)) {
            if notes.is_known(value, &place) {
                notes.lost(&value.span, &place, "it has not the form that EventBridge gives it");
            }
            continue;
        }
        match key.as_str() {
            "Arn" if as_text(value).is_none() => notes.lost(&value.span, &place, "it is no text"),
            "Id" | "Arn" | "http" | "log" | "bus" => (),
            // Without its input the target would be sent something else, and perhaps more than it should see.
            "Input" | "InputPath" | "InputTransformer" => {
                steps.extend(input(key, value, &place, notes)?);
            }
            "RetryPolicy" => retry(value, &place, &mut here, notes),
            "HttpParameters" => http(value, &place, &mut here, notes),
            "SqsParameters" | "KinesisParameters" => order(value, &place, &mut here, notes),
            "RoleArn" => {
                notes.note(key_span, &place, "roles belong to Amazon; nothing here needs one")
            }
            "DeadLetterConfig" => {
                let reason = "what cannot be delivered is kept as a dead letter in any case (`slipswitch dlq ls`)";
                notes.note(key_span, &place, reason);
            }
            _ => notes.lost(
                key_span,
                &place,
                "what the target is told beside the event is its own matter here",
            ),
        }
    }
    let mut whole = vec![member("id", id)];
    whole.extend(members(&here).iter().cloned());
    if !steps.is_empty() {
        whole.push(member("transform", list(&node.span, steps)));
    }
    Some(map(&node.span, whole))
}

fn destination(
    node: &Node,
    target: &str,
    destinations: &dyn Destinations,
    notes: &mut Notes,
) -> Option<Node> {
    // In a rule file what a target is can stand beside its ARN, which is then a name for people.
    let own = members(node).iter().filter(|it| matches!(it.key.as_str(), "http" | "log" | "bus"));
    let own: Vec<Member> = own.cloned().collect();
    if !own.is_empty() {
        return Some(map(&node.span, own));
    }
    let Some(arn) = node.member("Arn") else {
        notes.lost(&node.span, target, "the target has no `Arn`");
        return None;
    };
    match destinations.of(&arn.value) {
        Destination::Here { target: here, said } => {
            for (key, reason) in said {
                notes.lost(&arn.value.span, &format!("{target}.{key}"), reason);
            }
            Some(here)
        }
        Destination::Nowhere { reason, wanted } => {
            notes.lost(&arn.value.span, &format!("{target}.Arn"), reason);
            notes.wanted.extend(wanted);
            None
        }
    }
}

/// The step, if one is needed; none when it cannot be carried over.
fn input(key: &str, value: &Node, place: &str, notes: &mut Notes) -> Option<Option<Node>> {
    if !notes.is_known(value, place) {
        return None;
    }
    let span = &value.span;
    let made = match (key, &value.value) {
        ("Input", Value::Text(constant)) => match json(constant, span) {
            Some(constant) => vec![member("constant", constant)],
            None => {
                notes.lost(span, place, "the text is no JSON");
                return None;
            }
        },
        ("InputPath", Value::Text(path)) if path == "$" => return Some(None),
        ("InputPath", Value::Text(_)) => vec![member("path", value.clone())],
        ("InputTransformer", Value::Map(_)) => transformer(value, place, notes)?,
        _ => {
            notes.lost(span, place, "it has not the form that EventBridge gives it");
            return None;
        }
    };
    Some(Some(map(span, vec![member("input", map(span, made))])))
}

fn transformer(value: &Node, place: &str, notes: &mut Notes) -> Option<Vec<Member>> {
    for Member { key, key_span, .. } in members(value) {
        if !matches!(key.as_str(), "InputPathsMap" | "InputTemplate") {
            notes.lost(key_span, &format!("{place}.{key}"), "this key is not known");
        }
    }
    let Some(template) = value.member("InputTemplate") else {
        notes.lost(&value.span, place, "there is no `InputTemplate`");
        return None;
    };
    let paths = value.member("InputPathsMap").filter(|paths| !members(&paths.value).is_empty());
    let paths = paths.map(|paths| member("paths", paths.value.clone()));
    Some(paths.into_iter().chain([member("template", template.value.clone())]).collect())
}

fn retry(value: &Node, place: &str, here: &mut Node, notes: &mut Notes) {
    if here.member("retry").is_some() {
        notes.note(&value.span, place, "the map says how often to try again");
        return;
    }
    let mut retry = Vec::new();
    for Member { key, key_span, value } in members(value) {
        let place = format!("{place}.{key}");
        if !notes.is_known(value, &place) {
            continue;
        }
        let number_of = match &value.value {
            Value::Number(digits) | Value::Text(digits) => digits.parse::<u64>().ok(),
            _ => None,
        };
        match (key.as_str(), number_of) {
            // The first attempt counts here.
            ("MaximumRetryAttempts", Some(retries)) if retries <= RETRIES_MAX => {
                let attempts = (retries + 1).min(RETRIES_MAX);
                retry.push(member("attempts", number(&value.span, attempts)));
            }
            ("MaximumEventAgeInSeconds", Some(seconds)) => {
                retry.push(member("max_age", text(&value.span, &duration(seconds))));
            }
            ("MaximumRetryAttempts" | "MaximumEventAgeInSeconds", _) => {
                notes.lost(&value.span, &place, "it is no number that EventBridge takes");
            }
            _ => notes.lost(key_span, &place, "this key is not known"),
        }
    }
    if !retry.is_empty() {
        set(here, "retry", map(&value.span, retry));
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        s if s != 0 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s != 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Headers, query and parts of the path, which the request to an API destination gets.
fn http(value: &Node, place: &str, here: &mut Node, notes: &mut Notes) {
    let Some(found) = here.member("http") else {
        notes.lost(&value.span, place, "the target is none that is spoken to over HTTP");
        return;
    };
    let mut http = match &found.value.value {
        Value::Text(_) => map(&found.value.span, vec![member("url", found.value.clone())]),
        _ => found.value.clone(),
    };
    let url = http.member("url").map(|url| url.value.clone());
    let mut url = url.as_ref().and_then(as_text).unwrap_or_default().to_owned();
    for Member { key, key_span, value } in members(value) {
        let place = format!("{place}.{key}");
        match (key.as_str(), &value.value) {
            ("HeaderParameters", Value::Map(_)) => headers(value, &place, &mut http, notes),
            ("QueryStringParameters", Value::Map(pairs)) => {
                for Member { key, value, .. } in pairs {
                    let Some(text) = fixed(value, &format!("{place}.{key}"), notes) else {
                        continue;
                    };
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(&format!("{}={}", encoded(key), encoded(text)));
                }
            }
            ("PathParameterValues", Value::List(parts)) => {
                for part in parts {
                    let Some(text) = fixed(part, &place, notes) else { continue };
                    url = url.replacen('*', &encoded(text), 1);
                }
            }
            _ => notes.lost(key_span, &place, "this key is not known"),
        }
    }
    let span = value.span.clone();
    set(&mut http, "url", text(&span, &url));
    set(here, "http", http);
}

fn headers(value: &Node, place: &str, http: &mut Node, notes: &mut Notes) {
    let known = http.member("headers").map(|headers| headers.value.clone());
    let mut headers = known.unwrap_or_else(|| map(&value.span, Vec::new()));
    for Member { key, value, .. } in members(value) {
        let Some(fixed) = fixed(value, &format!("{place}.{key}"), notes) else { continue };
        set(&mut headers, key, text(&value.span, &literal(fixed)));
    }
    if !members(&headers).is_empty() {
        set(http, "headers", headers);
    }
}

/// A parameter that is the same for every event.
fn fixed<'n>(node: &'n Node, place: &str, notes: &mut Notes) -> Option<&'n str> {
    if !notes.is_known(node, place) {
        return None;
    }
    match as_text(node) {
        Some(path) if path.starts_with("$.") || path == "$" => {
            let reason =
                "it changes with the event, and a URL and headers are the same for all events here";
            notes.lost(&node.span, place, reason);
            None
        }
        Some(text) => Some(text),
        None => {
            notes.lost(&node.span, place, "it is no text");
            None
        }
    }
}

/// A part of a URL, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What keeps messages in order at Amazon keeps deliveries in order here.
fn order(value: &Node, place: &str, here: &mut Node, notes: &mut Notes) {
    for Member { key, key_span, value } in members(value) {
        let place = format!("{place}.{key}");
        if !notes.is_known(value, &place) {
            continue;
        }
        let is_known = matches!(key.as_str(), "PartitionKeyPath" | "MessageGroupId");
        match (key.as_str(), as_text(value)) {
            (_, Some(_)) if is_known && here.member("order_by").is_some() => {
                notes.note(key_span, &place, "the map says what is kept in order");
            }
            ("PartitionKeyPath", Some(path)) => set(here, "order_by", text(&value.span, path)),
            ("MessageGroupId", Some(path)) if path.starts_with("$.") => {
                set(here, "order_by", text(&value.span, path));
            }
            ("MessageGroupId", Some(_)) => {
                // Every event has the same version, so this is one group for all of them.
                set(here, "order_by", text(&value.span, "$.version"));
                notes.note(
                    key_span,
                    &place,
                    "one group for all events: they are delivered one at a time",
                );
            }
            _ if is_known => notes.lost(&value.span, &place, "it is no text"),
            _ => notes.lost(key_span, &place, "this key is not known"),
        }
    }
}

/// An `http` that does not say more than its URL, in short.
pub(super) fn to_url(span: &Span, url: &str) -> Node {
    Node { filling: Filling::None, ..text(span, &literal(url)) }
}
