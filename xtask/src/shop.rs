//! The example shop's recorded events: written here, read again by the demonstration.
//!
//! `cargo xtask shop-events` writes `tests/data/shop-events.ndjson`. The same code always writes the same bytes, so
//! that figures and expectations stay comparable. Events carry no id and no time: the router stamps them.
//!
//! # Invariants
//!
//! - Lines are composed as text, never through a JSON tree: `1.10`, `1e400` and numbers of 30 digits stand in the file
//!   as a careful sender would write them.
//! - Reading keeps a value's own bytes (`RawValue`), for the same reason.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Context, bail};
use serde_json::value::RawValue;

/// Where the recording is, from the repository's root.
pub(crate) const FILE: &str = "tests/data/shop-events.ndjson";

const ORDERS: u32 = 80;

const PEOPLE: [(&str, &str); 12] = [
    ("Trần Thị Lan", "lan.tran"),
    ("Nguyễn Văn Hùng", "hung.nguyen"),
    ("Phạm Minh Châu", "chau.pham"),
    ("Lê Đức Anh", "anh.le"),
    ("Võ Thị Sáu", "sau.vo"),
    ("Đặng Quốc Bảo", "bao.dang"),
    ("Hoàng Ngọc Ánh", "anh.hoang"),
    ("Bùi Thanh Tùng", "tung.bui"),
    ("Đỗ Mỹ Linh", "linh.do"),
    ("Ngô Gia Huy", "huy.ngo"),
    ("Lý Hải Yến", "yen.ly"),
    ("Dương Khánh Vy", "vy.duong"),
];

/// Stock-keeping unit, name, price in đồng.
const GOODS: [(&str, &str, u64); 10] = [
    ("CF-ROB-500", "Cà phê Robusta 500 g", 145_000),
    ("CF-ARA-250", "Cà phê Arabica Cầu Đất 250 g", 189_000),
    ("TEA-LOT-100", "Trà sen Tây Hồ 100 g", 320_000),
    ("PHIN-INOX", "Phin nhôm \"Sài Gòn\"", 65_000),
    ("MUG-BT", "Cốc gốm Bát Tràng", 98_000),
    ("AODAI-M", "Áo dài lụa Hà Đông, cỡ M", 1_450_000),
    ("NON-LA", "Nón lá Huế", 75_000),
    ("LAMP-HOIAN", "Đèn lồng Hội An 🏮", 210_000),
    ("SAUCE-PQ", "Nước mắm Phú Quốc 40°N", 120_000),
    ("LACQ-BOX", "Hộp sơn mài", 560_000),
];

/// A JSON object whose values keep their own bytes.
pub(crate) type Object = BTreeMap<String, Box<RawValue>>;

/// An event as recorded.
pub(crate) struct Recorded {
    pub(crate) detail_type: String,
    /// The whole detail, as recorded.
    pub(crate) detail_json: String,
    /// The detail's fields, each as its own bytes.
    pub(crate) detail: Object,
}

impl Recorded {
    /// The bytes of a field of the detail.
    pub(crate) fn raw(&self, field: &str) -> anyhow::Result<&str> {
        match self.detail.get(field) {
            Some(value) => Ok(value.get()),
            None => bail!("a recorded {} has no detail.{field}", self.detail_type),
        }
    }

    /// A field that is a string.
    pub(crate) fn text(&self, field: &str) -> anyhow::Result<String> {
        Ok(serde_json::from_str(self.raw(field)?)?)
    }

    pub(crate) fn number(&self, field: &str) -> anyhow::Result<f64> {
        let raw = self.raw(field)?;
        raw.parse()
            .with_context(|| format!("detail.{field} of a recorded {}: {raw}", self.detail_type))
    }

    /// The objects of a field that is an array of them.
    pub(crate) fn objects(&self, field: &str) -> anyhow::Result<Vec<Object>> {
        Ok(serde_json::from_str(self.raw(field)?)?)
    }
}

/// Reads the recording back.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Recorded>> {
    let path = root.join(FILE);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let line = |(number, line): (usize, &str)| {
        recorded(line)
            .with_context(|| format!("{}:{}: not a recorded event", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}

fn recorded(line: &str) -> anyhow::Result<Recorded> {
    let envelope: Object = serde_json::from_str(line)?;
    let field = |name: &str| envelope.get(name).with_context(|| format!("no {name}"));
    Ok(Recorded {
        detail_type: serde_json::from_str(field("detail-type")?.get())?,
        detail_json: field("detail")?.get().to_owned(),
        detail: serde_json::from_str(field("detail")?.get())?,
    })
}

/// Writes the recording into the repository.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let path = root.join(FILE);
    let text = generate();
    std::fs::write(&path, &text).with_context(|| format!("write {}", path.display()))?;
    crate::print::line(&format!("{FILE}: {} events, {} bytes", text.lines().count(), text.len()));
    Ok(())
}

fn generate() -> String {
    let mut story = Story { dice: Dice(0x5115_5317_c400_0001), lines: String::new() };
    for number in 0..ORDERS {
        if number % 4 == 0 {
            story.sign_up(number);
        }
        story.order(number);
    }
    story.lines
}

struct Story {
    dice: Dice,
    lines: String,
}

struct Order {
    id: String,
    customer: String,
    items: Vec<(usize, u64)>,
    total: u64,
}

impl Story {
    fn event(&mut self, service: &str, detail_type: &str, detail: &str) {
        writeln!(
            self.lines,
            r#"{{"source":"com.shopvn.{service}","detail-type":"{detail_type}","detail":{{{detail}}}}}"#
        )
        .expect("a string takes everything");
    }

    fn sign_up(&mut self, number: u32) {
        let index = self.dice.below(PEOPLE.len());
        let (name, mailbox) = PEOPLE[index];
        // Some accounts are the shop's own tests: the rules tell them by their address.
        let domain = if number % 20 == 12 { "test.shopvn.example" } else { "mail.example" };
        let newsletter = self.dice.below(3) == 0;
        let detail = format!(
            r#""userId":"u-{}","name":{},"email":"{mailbox}@{domain}","newsletter":{newsletter},"locale":"vi-VN""#,
            2000 + number,
            quoted(name)
        );
        self.event("user", "UserSignedUp", &detail);
    }

    fn order(&mut self, number: u32) {
        let order = self.draw_order(number);
        self.order_created(number, &order);
        self.stock_reserved(&order);
        if number % 8 == 5 {
            self.payment_failed(number, &order);
        } else {
            self.payment_completed(number, &order);
            self.shipment_created(number, &order);
        }
        if number % 9 == 7 {
            self.low_stock(&order);
        }
    }

    fn draw_order(&mut self, number: u32) -> Order {
        let (name, mailbox) = PEOPLE[self.dice.below(PEOPLE.len())];
        let phone = 10_000_000 + self.dice.below(89_999_999);
        let customer = format!(
            r#"{{"id":"c-{}","name":{},"email":"{mailbox}@mail.example","phone":"+84 9{phone}"}}"#,
            100 + number % 23,
            quoted(name)
        );
        let kinds = 1 + self.dice.below(4);
        let mut items: Vec<(usize, u64)> = Vec::new();
        while items.len() < kinds {
            let good = self.dice.below(GOODS.len());
            if items.iter().all(|(taken, _)| *taken != good) {
                items.push((good, 1 + u64::from(self.dice.next() % 3)));
            }
        }
        // Once, exactly the amount that is not yet a big order.
        let total = if number == 40 {
            1_000_000
        } else {
            items.iter().map(|(good, n)| GOODS[*good].2 * n).sum()
        };
        Order { id: format!("o-{}", 1001 + number), customer, items, total }
    }

    fn order_created(&mut self, number: u32, order: &Order) {
        let items: Vec<String> = order
            .items
            .iter()
            .map(|(good, quantity)| {
                let (sku, name, price) = GOODS[*good];
                format!(
                    r#"{{"sku":"{sku}","name":{},"quantity":{quantity},"price":{price}}}"#,
                    quoted(name)
                )
            })
            .collect();
        let mut detail = format!(
            r#""orderId":"{}","customer":{},"items":[{}],"totalAmount":{},"currency":"VND""#,
            order.id,
            order.customer,
            items.join(","),
            order.total
        );
        // What numbers go through in the wild. None of these survives a detour through a double.
        match number % 16 {
            3 => detail.push_str(r#","weightKg":1.10"#),
            6 => detail.push_str(r#","ledgerEntry":123456789012345678901234567890"#),
            9 => detail.push_str(r#","fraudOdds":1e400"#),
            12 => detail.push_str(r#","discount":-0.0,"exchangeRate":25415.50,"unit":1E-2"#),
            14 => detail.push_str(r#","note":"giao giờ hành chính \u2014 gọi trước / \"anh Tư\"""#),
            _ => (),
        }
        self.event("order", "OrderCreated", &detail);
    }

    fn stock_reserved(&mut self, order: &Order) {
        let skus: Vec<String> =
            order.items.iter().map(|(good, _)| quoted(GOODS[*good].0)).collect();
        let warehouse = ["HN-01", "SG-02", "DN-03"][self.dice.below(3)];
        let detail = format!(
            r#""orderId":"{}","warehouse":"{warehouse}","skus":[{}]"#,
            order.id,
            skus.join(",")
        );
        self.event("inventory", "StockReserved", &detail);
    }

    fn payment_completed(&mut self, number: u32, order: &Order) {
        let method = ["momo", "vnpay", "card", "cod"][self.dice.below(4)];
        let detail = format!(
            r#""orderId":"{}","paymentId":"p-{}","amount":{}.00,"currency":"VND","method":"{method}""#,
            order.id,
            5001 + number,
            order.total
        );
        self.event("payment", "PaymentCompleted", &detail);
    }

    fn payment_failed(&mut self, number: u32, order: &Order) {
        let reason = ["insufficient_funds", "card_expired", "timeout"][self.dice.below(3)];
        let detail = format!(
            r#""orderId":"{}","paymentId":"p-{}","amount":{},"currency":"VND","reason":"{reason}""#,
            order.id,
            5001 + number,
            order.total
        );
        self.event("payment", "PaymentFailed", &detail);
    }

    fn shipment_created(&mut self, number: u32, order: &Order) {
        let carrier = ["GHN", "GHTK", "Viettel Post"][self.dice.below(3)];
        let detail = format!(
            r#""orderId":"{}","shipmentId":"s-{}","carrier":"{carrier}","trackingCode":"VN{:010}""#,
            order.id,
            7001 + number,
            self.dice.next()
        );
        self.event("shipping", "ShipmentCreated", &detail);
    }

    fn low_stock(&mut self, order: &Order) {
        let (sku, name, _) = GOODS[order.items[0].0];
        let left = self.dice.below(5);
        let detail =
            format!(r#""sku":"{sku}","name":{},"left":{left},"threshold":5"#, quoted(name));
        self.event("inventory", "LowStock", &detail);
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A small generator of numbers (SplitMix64): the same sequence on every machine, for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(mixed >> 32).expect("the upper half of 64 bits fits 32")
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).expect("32 bits fit") % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_recording_is_what_this_code_writes() {
        let root = crate::root().unwrap();
        let committed = std::fs::read_to_string(root.join(FILE)).unwrap();
        assert!(committed == generate(), "run `cargo xtask shop-events` and commit {FILE}");
    }

    #[test]
    fn every_recorded_event_reads_back_with_its_exotic_numbers() {
        let text = generate();
        let events: Vec<Recorded> = text.lines().map(|line| recorded(line).unwrap()).collect();
        let has = |field: &str, raw: &str| {
            events.iter().any(|event| event.raw(field).is_ok_and(|found| found == raw))
        };
        assert!(has("weightKg", "1.10"));
        assert!(has("fraudOdds", "1e400"));
        assert!(has("ledgerEntry", "123456789012345678901234567890"));
        assert!(has("totalAmount", "1000000"));
        for detail_type in
            ["UserSignedUp", "StockReserved", "PaymentFailed", "LowStock", "ShipmentCreated"]
        {
            assert!(events.iter().any(|event| event.detail_type == detail_type), "{detail_type}");
        }
    }
}
