//! What has to arrive where, worked out from the recorded events alone.
//!
//! This is a second opinion: it reads neither the rule files nor anything the router says. When a rule of the shop
//! changes, this has to change with it.

use std::collections::BTreeMap;

use crate::shop::Recorded;

/// One delivery, named as its target sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) rule: String,
    pub(super) target: String,
    pub(super) event_id: String,
    pub(super) output: usize,
}

/// What its body has to be.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Exactly(String),
    /// Each of these stands in it, byte for byte, and none of those.
    Holding {
        present: Vec<String>,
        absent: Vec<String>,
    },
}

/// Everything that the recorded events, under these ids, have to cause.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) http: BTreeMap<Key, Body>,
    /// The ids of the events that the operations log has to show.
    pub(super) logged: Vec<String>,
    /// Events that a rule looked at and let pass by, for the report.
    pub(super) small_orders: usize,
    pub(super) test_accounts: usize,
}

impl Body {
    pub(super) fn fits(&self, body: &str) -> bool {
        match self {
            Self::Exactly(expected) => body == expected,
            Self::Holding { present, absent } => {
                present.iter().all(|part| body.contains(part))
                    && !absent.iter().any(|part| body.contains(part))
            }
        }
    }
}

impl Expected {
    pub(super) fn of(events: &[Recorded], ids: &[String]) -> anyhow::Result<Self> {
        let mut expected = Self::default();
        for (event, id) in events.iter().zip(ids) {
            expected.add(event, id)?;
        }
        Ok(expected)
    }

    /// The deliveries of one rule.
    pub(super) fn of_rule(&self, rule: &str) -> BTreeMap<Key, Body> {
        self.http
            .iter()
            .filter(|(key, _)| key.rule == rule)
            .map(|(key, body)| (key.clone(), body.clone()))
            .collect()
    }

    fn add(&mut self, event: &Recorded, id: &str) -> anyhow::Result<()> {
        // A target without transforms gets the event, and in it the sender's own bytes.
        let whole = Body::holding([event.detail_json.clone()]);
        match event.detail_type.as_str() {
            "OrderCreated" => self.add_order(event, id, whole)?,
            "StockReserved" => self.deliver("stock-reserved", "payment", id, whole),
            "PaymentCompleted" => {
                self.deliver("payment-completed", "order", id, whole.clone());
                self.deliver("payment-completed", "shipping", id, whole);
            }
            "PaymentFailed" => {
                let order = event.text("orderId")?;
                self.deliver("payment-failed", "order", id, whole);
                self.deliver(
                    "payment-failed",
                    "notification",
                    id,
                    Body::holding([order, event.text("reason")?]),
                );
            }
            "ShipmentCreated" => {
                let tracking = event.text("trackingCode")?;
                self.deliver("shipment-created", "order", id, whole);
                self.deliver("shipment-created", "notification", id, Body::holding([tracking]));
            }
            "UserSignedUp" if event.text("email")?.ends_with("@test.shopvn.example") => {
                self.test_accounts += 1
            }
            "UserSignedUp" => {
                let greeting = Body::holding([event.text("name")?, event.text("email")?]);
                self.deliver("welcome", "notification", id, greeting);
            }
            "LowStock" => self.logged.push(id.to_owned()),
            other => anyhow::bail!(
                "the demonstration does not know the event {other}: add it to xtask/src/demo"
            ),
        }
        Ok(())
    }

    fn add_order(&mut self, event: &Recorded, id: &str, whole: Body) -> anyhow::Result<()> {
        let items = event.objects("items")?;
        let mut quantity = 0;
        for item in &items {
            quantity += item.get("quantity").map_or(Ok(1), |raw| raw.get().parse::<u64>())?;
        }
        let customer: crate::shop::Object = serde_json::from_str(event.raw("customer")?)?;
        let customer_raw =
            |field: &str| customer.get(field).map(|raw| raw.get().to_owned()).unwrap_or_default();
        let name: String = serde_json::from_str(&customer_raw("name"))?;
        let order = event.text("orderId")?;
        let amount = event.raw("totalAmount")?;

        self.deliver("order-to-inventory", "inventory", id, whole);
        let noun = if quantity == 1 { "item" } else { "items" };
        let summary =
            format!("Order {order} from {name}: {quantity} {noun}, {} VND", grouped(amount));
        self.deliver("order-confirmation", "notification", id, Body::Exactly(summary));
        for (index, item) in items.iter().enumerate() {
            let present = [
                order.clone(),
                item.get("sku").map(|raw| raw.get().to_owned()).unwrap_or_default(),
            ];
            let key = key("order-items", "analytics", id, index);
            self.http.insert(key, Body::holding(present));
        }
        if event.number("totalAmount")? > 1_000_000.0 {
            // Every field but the customer arrives as it was sent, however exotic its number.
            let others = event.detail.iter().filter(|(name, _)| *name != "customer");
            let present = others.map(|(name, raw)| format!("\"{name}\":{}", raw.get())).collect();
            let absent = vec![customer_raw("email"), customer_raw("phone")];
            self.deliver("big-orders", "crm", id, Body::Holding { present, absent });
        } else {
            self.small_orders += 1;
        }
        Ok(())
    }

    fn deliver(&mut self, rule: &str, target: &str, event_id: &str, body: Body) {
        self.http.insert(key(rule, target, event_id, 0), body);
    }
}

impl Body {
    fn holding(present: impl Into<Vec<String>>) -> Self {
        Self::Holding { present: present.into(), absent: Vec::new() }
    }
}

fn key(rule: &str, target: &str, event_id: &str, output: usize) -> Key {
    Key { rule: rule.to_owned(), target: target.to_owned(), event_id: event_id.to_owned(), output }
}

/// `1250000` becomes `1,250,000`.
fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop;

    #[test]
    fn every_recorded_event_has_an_expectation() {
        let events = shop::read(&crate::root().unwrap()).unwrap();
        let ids: Vec<String> = (0..events.len()).map(|number| number.to_string()).collect();
        let expected = Expected::of(&events, &ids).unwrap();
        assert_eq!(expected.of_rule("order-to-inventory").len(), 80);
        assert_eq!(expected.of_rule("big-orders").len() + expected.small_orders, 80);
        assert!(expected.of_rule("order-items").len() > 80);
        assert_eq!((expected.logged.len(), expected.test_accounts), (9, 4));
    }

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(
            [grouped("7"), grouped("1000"), grouped("1250000")],
            ["7", "1,000", "1,250,000"]
        );
    }
}
