//! The order that every plugin gets, about 1 KB of it.

use std::ops::Range;

use crate::orders;

const ID: &str = "0199f0c2-6a3e-7c11-9d55-0b6f5e3c9a77";
const TIME: &str = "2026-01-02T03:04:05.678Z";
const TIME_MS: i64 = 1_767_323_045_678;

/// An order as the router hands it to a plugin.
pub(super) struct Sent {
    pub(super) json: String,
    detail: Range<usize>,
    attributes: Vec<(String, String)>,
}

impl Sent {
    pub(super) fn new() -> Self {
        let order = orders::order(1);
        let fields = order.strip_prefix('{').unwrap_or_default();
        let json = format!(
            r#"{{"version":"0","id":"{ID}","account":"000000000000","time":"{TIME}","region":"local",{fields}"#
        );
        // The last of the envelope's fields: all but the closing brace.
        let name = r#""detail":"#;
        let start = json.find(name).map_or(0, |at| at + name.len());
        let detail = start..json.len() - 1;
        let attribute = |name: &str| (name.to_owned(), "orders".to_owned());
        let attributes = vec![attribute("bus"), attribute("rule"), attribute("target")];
        Self { json, detail, attributes }
    }

    pub(super) fn event(&self) -> plugin::Event<'_> {
        plugin::Event {
            id: ID,
            source: "com.shopvn.order",
            detail_type: "OrderCreated",
            time: TIME,
            time_ms: TIME_MS,
            json: &self.json,
            detail: self.detail.clone(),
            attributes: &self.attributes,
            position: 0,
        }
    }
}
