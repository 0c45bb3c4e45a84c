//! Hands every event on as it came: what is left of a call when the plugin itself has nothing to do.

use slipswitch_sdk::{Event, Output, transformer};

#[transformer]
pub fn empty(event: &Event) -> Output {
    Output::raw(event.json().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_goes_on_byte_for_byte() {
        let event = Event::parse(r#"{"detail":{"price":1.10}}"#).unwrap();
        assert_eq!(empty(&event).body(), r#"{"detail":{"price":1.10}}"#);
    }
}
