//! `OrderCreated` becomes the line that a customer reads:
//! `Order o-1001 from Lan Tran: 3 items, 1,250,000 VND`.
//!
//! Items count by their `quantity` (1 when there is none). What the order does not say is left out; only `orderId` is
//! needed.

use serde::Deserialize;
use serde_json::value::RawValue;
use slipswitch_sdk::{Error, Event, Output, transformer};

#[slipswitch_sdk::config]
#[derive(Debug)]
pub struct Config {
    /// Put before the line: `Hello! Order o-1001 …`.
    greeting: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    order_id: Option<String>,
    customer: Option<Customer>,
    #[serde(default)]
    items: Vec<Item>,
    /// As text: an amount is shown, not calculated with.
    #[serde(borrow)]
    total_amount: Option<&'a RawValue>,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct Customer {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    quantity: Option<u64>,
}

/// Room for most lines, so that the text does not move while it grows.
const LINE_BYTES: usize = 128;

#[transformer]
pub fn order_summary(event: &Event, config: &Config) -> Result<Output, Error> {
    let order: Order<'_> = event.detail()?;
    let Some(id) = &order.order_id else {
        return Err(Error::invalid("detail.orderId is missing: a summary needs the order's id"));
    };
    let mut text = String::with_capacity(LINE_BYTES);
    if let Some(greeting) = &config.greeting {
        text.extend([greeting, " "]);
    }
    text.extend(["Order ", id]);
    if let Some(name) = order.customer.as_ref().and_then(|customer| customer.name.as_ref()) {
        text.extend([" from ", name]);
    }
    let count =
        order.items.iter().fold(0, |sum: u64, item| sum.saturating_add(item.quantity.unwrap_or(1)));
    text.extend([": ", &count.to_string(), if count == 1 { " item" } else { " items" }]);
    if let Some(amount) = order.total_amount {
        text.extend([", ", &grouped(amount.get().trim_matches('"'))]);
        if let Some(currency) = &order.currency {
            text.extend([" ", currency]);
        }
    }
    Ok(Output::text(text))
}

/// `1250000.50` becomes `1,250,000.50`; what is no plain decimal stays as it is.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut text = String::from(if digits.len() < whole.len() { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(order_summary);
    }

    fn summary(detail: &str, config: &str) -> Result<String, Error> {
        let event = Event::parse(format!(
            r#"{{"source":"shop","detail-type":"OrderCreated","detail":{detail}}}"#
        ))?;
        let output = order_summary(&event, &slipswitch_sdk::config(config)?)?;
        assert_eq!(
            output.attributes(),
            [("content-type".into(), "text/plain; charset=utf-8".into())]
        );
        Ok(output.body().to_owned())
    }

    #[test]
    fn an_order_becomes_one_line() {
        let order = r#"{"orderId":"o-1001","customer":{"name":"Lan Tran"},"items":[{"sku":"a","quantity":2},{"sku":"b"}],
            "totalAmount":1250000,"currency":"VND"}"#;
        assert_eq!(
            summary(order, "{}").unwrap(),
            "Order o-1001 from Lan Tran: 3 items, 1,250,000 VND"
        );
        assert_eq!(
            summary(order, r#"{"greeting":"Hello!"}"#).unwrap(),
            "Hello! Order o-1001 from Lan Tran: 3 items, 1,250,000 VND"
        );
    }

    #[test]
    fn what_the_order_does_not_say_is_left_out() {
        assert_eq!(summary(r#"{"orderId":"o-1"}"#, "").unwrap(), "Order o-1: 0 items");
        assert_eq!(
            summary(r#"{"orderId":"o-1","items":[{}],"totalAmount":"9.90"}"#, "").unwrap(),
            "Order o-1: 1 item, 9.90"
        );
    }

    #[test]
    fn an_order_without_an_id_is_invalid() {
        let error = summary(r#"{"items":[]}"#, "{}").unwrap_err();
        assert_eq!(
            error,
            Error::invalid("detail.orderId is missing: a summary needs the order's id")
        );
    }

    #[test]
    fn amounts_keep_their_digits() {
        for (given, shown) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.10", "-1,234,567.10"),
            ("123456789012345678901234567890", "123,456,789,012,345,678,901,234,567,890"),
            ("1e400", "1e400"),
        ] {
            assert_eq!(grouped(given), shown);
        }
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let error = slipswitch_sdk::config::<Config>(r#"{"greting":"Hi"}"#).unwrap_err();
        assert_eq!(error.to_string(), "unknown field `greting`, expected `greeting`");
    }
}
