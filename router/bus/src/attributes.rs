//! What plugins attach to what they make, beside its content type: how much of it is kept, and how it is written down.

/// Of one output.
const COUNT_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 1024;

/// Those that a header takes. The last of a name counts; what is too much or too long is left out.
pub(crate) fn kept(attached: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in attached {
        if !is_name(&name) || !is_value(&value) {
            tracing::debug!(%name, "an attribute that a plugin attached is left out: no header takes it");
            continue;
        }
        let is_full = kept.len() == COUNT_MAX;
        match kept.iter_mut().find(|(found, _)| *found == name) {
            Some((_, found)) => *found = value,
            None if is_full => {
                tracing::debug!(%name, "an attribute that a plugin attached is left out: there are {COUNT_MAX}");
            }
            None => kept.push((name, value)),
        }
    }
    kept
}

/// The value of one of them.
pub(crate) fn find<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// As it stands in the database; none where there are none.
pub(crate) fn written(attributes: &[(String, String)]) -> Option<String> {
    let text = serde_json::to_string(attributes).expect("texts can be written");
    (!attributes.is_empty()).then_some(text)
}

pub(crate) fn read(written: Option<String>) -> Vec<(String, String)> {
    written.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

fn is_value(value: &str) -> bool {
    value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_a_header_takes_is_kept_and_the_last_of_a_name_counts() {
        let attached = vec![
            pair("source", "a"),
            pair("Bad Name", "x"),
            pair("line", "a\nb"),
            pair("ordering-key", "k"),
            pair("source", "b"),
        ];
        let expected = vec![pair("source", "b"), pair("ordering-key", "k")];
        assert_eq!(kept(attached), expected);
        assert_eq!(read(written(&expected)), expected);
        assert_eq!((written(&[]), read(None)), (None, Vec::new()));
        let many = (0..99).map(|number| pair(&format!("a-{number}"), "")).collect();
        assert_eq!(kept(many).len(), COUNT_MAX);
    }
}
