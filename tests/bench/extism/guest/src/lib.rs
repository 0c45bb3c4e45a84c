//! The jobs of `empty` and `order-summary` as an Extism plugin, for the comparison alone.

use std::fmt::Write as _;

use extism_pdk::{FnResult, plugin_fn};
use serde::Deserialize;
use serde_json::value::RawValue;

#[plugin_fn]
pub fn empty(event: String) -> FnResult<String> {
    Ok(event)
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    detail: Order<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    order_id: String,
    customer: Option<Customer>,
    #[serde(default)]
    items: Vec<Item>,
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

#[plugin_fn]
pub fn order_summary(event: String) -> FnResult<String> {
    let Event { detail: order } = serde_json::from_str(&event)?;
    let mut text = format!("Order {}", order.order_id);
    if let Some(name) = order.customer.as_ref().and_then(|customer| customer.name.as_ref()) {
        write!(text, " from {name}")?;
    }
    let count: u64 = order.items.iter().map(|item| item.quantity.unwrap_or(1)).sum();
    write!(text, ": {count} {}", if count == 1 { "item" } else { "items" })?;
    if let Some(amount) = order.total_amount {
        write!(text, ", {}", grouped(amount.get().trim_matches('"')))?;
        if let Some(currency) = &order.currency {
            write!(text, " {currency}")?;
        }
    }
    Ok(text)
}

/// `1250000.50` becomes `1,250,000.50`.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}
