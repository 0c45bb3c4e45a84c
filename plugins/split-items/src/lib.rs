//! One order becomes one event per item: `{source, detail-type, detail: {orderId, currency, item, index, of}}`.
//!
//! Every value is handed on as its own text, so numbers keep their digits and objects their key order.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use slipswitch_sdk::{Error, Event, Output, Path, transformer};

#[slipswitch_sdk::config]
#[derive(Debug)]
pub struct Config {
    /// Where the items are.
    #[serde(default = "items")]
    path: Path,
    /// The detail-type of the new events.
    #[serde(default = "order_item")]
    detail_type: String,
}

fn items() -> Path {
    Path::new("$.detail.items")
}

fn order_item() -> String {
    "OrderItem".into()
}

/// What each item takes along from its order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(borrow)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ItemEvent<'a> {
    source: &'a str,
    detail_type: &'a str,
    detail: Detail<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a RawValue>,
    item: &'a RawValue,
    /// Counted from 0.
    index: usize,
    of: usize,
}

#[transformer]
pub fn split_items(event: &Event, config: &Config) -> Result<Vec<Output>, Error> {
    let order: Order<'_> = event.detail()?;
    let place = &config.path;
    let items =
        event.at(place)?.ok_or_else(|| Error::invalid(format!("no {place} in the event")))?;
    let items: Vec<&RawValue> = serde_json::from_str(items.get())
        .map_err(|_| Error::invalid(format!("{place} is no array")))?;
    let of = items.len();
    let event = |(index, item)| {
        let detail = Detail { order_id: order.order_id, currency: order.currency, item, index, of };
        Output::json(&ItemEvent {
            source: event.source(),
            detail_type: &config.detail_type,
            detail,
        })
    };
    items.into_iter().enumerate().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(split_items);
    }

    fn split(event: &str, config: &str) -> Result<Vec<String>, Error> {
        let outputs = split_items(&Event::parse(event)?, &slipswitch_sdk::config(config)?)?;
        Ok(outputs.iter().map(|output| output.body().to_owned()).collect())
    }

    #[test]
    fn an_order_becomes_one_event_per_item_with_every_digit_kept() {
        let order = r#"{"source":"com.shopvn.order","detail":{"orderId":"o-1","currency":"VND","items":[
            {"sku":"b","price":1.10,"a":1e400}, {"price":123456789012345678901234567890}]}}"#;
        assert_eq!(
            split(order, "{}").unwrap(),
            [
                r#"{"source":"com.shopvn.order","detail-type":"OrderItem","detail":{"orderId":"o-1","currency":"VND","item":{"sku":"b","price":1.10,"a":1e400},"index":0,"of":2}}"#,
                r#"{"source":"com.shopvn.order","detail-type":"OrderItem","detail":{"orderId":"o-1","currency":"VND","item":{"price":123456789012345678901234567890},"index":1,"of":2}}"#,
            ]
        );
    }

    #[test]
    fn the_place_and_the_new_type_can_be_chosen() {
        let event = r#"{"source":"s","detail":{"basket":{"lines":[1.0]}}}"#;
        assert_eq!(
            split(event, r#"{"path":"$.detail.basket.lines","detail_type":"Line"}"#).unwrap(),
            [r#"{"source":"s","detail-type":"Line","detail":{"item":1.0,"index":0,"of":1}}"#]
        );
    }

    #[test]
    fn an_empty_order_has_no_items() {
        assert_eq!(split(r#"{"detail":{"items":[]}}"#, "{}").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_event_without_items_is_invalid() {
        let missing = split(r#"{"detail":{}}"#, "{}").unwrap_err();
        assert_eq!(missing, Error::invalid("no $.detail.items in the event"));
        let wrong = split(r#"{"detail":{"items":"none"}}"#, "{}").unwrap_err();
        assert_eq!(wrong, Error::invalid("$.detail.items is no array"));
    }

    #[test]
    fn a_bad_path_refuses_the_configuration() {
        for path in ["detail.items", "$", "$.", "$.a..b", "$.items[*]"] {
            let error =
                slipswitch_sdk::config::<Config>(&format!(r#"{{"path":"{path}"}}"#)).unwrap_err();
            let expected = format!(
                "config.path: path `{path}`: expected keys from the event down, such as `$.detail.items`"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
