//! One request as it arrived.

/// A request, kept whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Position in the order of arrival over all paths, from 0. A restart goes on counting.
    pub order: usize,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The status this request was answered with; 0 when the receiver hung up instead.
    pub answered: u16,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 show as U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn was_accepted(&self) -> bool {
        (200..300).contains(&self.answered)
    }

    /// The identity of the delivery, which is the same in every attempt.
    pub fn delivery_id(&self) -> Option<&str> {
        self.header("slipswitch-delivery-id")
    }

    /// The number of the attempt, from 1.
    pub fn attempt(&self) -> Option<u32> {
        self.header("slipswitch-attempt")?.parse().ok()
    }
}
