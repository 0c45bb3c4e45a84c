//! Whether bytes are one JSON text within limits, without reading it into anything.

/// What an event may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest event, in bytes of its own JSON text as it was sent.
    pub event_bytes_max: usize,
    /// The deepest nesting of objects and arrays; the event itself is the first level.
    pub depth_max: usize,
}

impl Default for Limits {
    /// 1 MiB, 64 levels.
    fn default() -> Self {
        Self { event_bytes_max: 1024 * 1024, depth_max: 64 }
    }
}

/// Why bytes are not one JSON text within limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("{bytes} bytes are over the limit of {max} bytes for one event")]
    TooLarge { bytes: usize, max: usize },

    #[error("not UTF-8: byte {offset} begins no character; send JSON as UTF-8")]
    NotUtf8 { offset: usize },

    #[error("nested deeper than {max} levels at byte {offset}")]
    TooDeep { offset: usize, max: usize },

    #[error("not JSON: {reason} (line {line}, column {column})")]
    Syntax { reason: String, line: usize, column: usize },
}

impl JsonError {
    pub(crate) fn syntax(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The library appends the place to its words; ours has it in fields.
        let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
        Self::Syntax { reason, line: error.line(), column: error.column() }
    }
}

/// Checks one JSON text: its size, UTF-8, depth and syntax, and that nothing follows it.
///
/// Numbers are checked for their form only, never converted: `1e400` is a number.
///
/// # Errors
///
/// The first thing that is wrong, with its place in `bytes`.
pub fn check_json<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    let text = check_bounds(bytes, limits)?;
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| JsonError::syntax(&error))?;
    Ok(text)
}

/// All of [`check_json`] but the syntax, for a caller that parses next.
pub(crate) fn check_bounds<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    if bytes.len() > limits.event_bytes_max {
        return Err(JsonError::TooLarge { bytes: bytes.len(), max: limits.event_bytes_max });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError::NotUtf8 { offset: error.valid_up_to() })?;
    check_depth(bytes, limits.depth_max)?;
    Ok(text)
}

/// Counts brackets outside strings. What is not JSON is found later; depth is checked first so
/// that no reader after this one can be driven deep.
fn check_depth(bytes: &[u8], max: usize) -> Result<(), JsonError> {
    // Few brackets at all, in strings or not: it cannot be deep. Counting takes a thirtieth of following.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= max {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => (),
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return Err(JsonError::TooDeep { offset, max });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => (),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<&str, JsonError> {
        check_json(bytes, &Limits { event_bytes_max: 64, depth_max: 3 })
    }

    #[test]
    fn numbers_that_no_float_holds_are_json() {
        assert!(check(br#"{"a":1e400,"b":123456789012345678901234567890,"c":1.10}"#).is_ok());
    }

    #[test]
    fn brackets_within_strings_are_not_levels() {
        assert!(check(br#"[["[[[[\"[[[", "\\"]]"#).is_ok());
        assert_eq!(check(b"[[[[]]]]"), Err(JsonError::TooDeep { offset: 3, max: 3 }));
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let said = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
        assert_eq!(said(&[b' '; 65]), "65 bytes are over the limit of 64 bytes for one event");
        assert_eq!(
            said(b"{\"a\":\"\xff\"}"),
            "not UTF-8: byte 6 begins no character; send JSON as UTF-8"
        );
        assert_eq!(said(b"{\"a\":1"), "not JSON: EOF while parsing an object (line 1, column 6)");
        assert_eq!(said(b"{} {}"), "not JSON: trailing characters (line 1, column 4)");
    }
}
