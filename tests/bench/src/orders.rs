//! The example shop's `OrderCreated` at about 1 KB: the same hundred in every run.

use std::fmt::Write as _;

/// How many different ones there are. The first is an express order; the others are not.
pub(crate) const COUNT: usize = 100;

/// One event as a sender writes it, on one line.
pub(crate) fn order(number: usize) -> String {
    let service = if number.is_multiple_of(COUNT) { "express" } else { "standard" };
    let mut items = String::new();
    for item in 0..5 {
        let comma = if item == 0 { "" } else { "," };
        write!(
            items,
            r#"{comma}{{"sku":"AODAI-{number:03}-{item}","name":"Áo dài lụa Hà Đông, cỡ M","quantity":{},"price":1450000.00}}"#,
            1 + (number + item) % 3
        )
        .expect("a string takes everything");
    }
    format!(
        concat!(
            r#"{{"source":"com.shopvn.order","detail-type":"OrderCreated","resources":["shop/hanoi-01"],"detail":{{"#,
            r#""orderId":"o-{id}","customer":{{"id":"c-{customer}","name":"Nguyễn Văn Hùng","email":"hung.{customer}@mail.example","#,
            r#""phone":"+84 9{customer}65886465","address":{{"street":"12 Hàng Bạc","district":"Hoàn Kiếm","city":"Hà Nội","postcode":"100000"}}}},"#,
            r#""items":[{items}],"totalAmount":{total}.00,"currency":"VND","shipping":{{"service":"{service}","carrier":"GHN","fee":35000}},"#,
            r#""payment":{{"method":"momo","reference":"p-{id}"}},"channel":"web","campaign":null,"gift":false}}}}"#
        ),
        id = 1000 + number,
        customer = 100 + number % 23,
        items = items,
        total = 1_450_000 * (5 + number % 5),
        service = service,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_one_line_of_json_of_about_a_kilobyte() {
        for number in 0..COUNT {
            let text = order(number);
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            assert!((950..1100).contains(&text.len()), "{} bytes", text.len());
            assert!(!text.contains('\n'));
        }
    }
}
