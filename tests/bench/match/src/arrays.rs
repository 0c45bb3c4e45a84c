//! Events of 110 KB that are arrays within arrays: stations with sensors with readings.
//!
//! Every rule asks for two or three fields, which must match within one element: of the inner array, or of
//! the outer one.

use crate::families::{Family, rule};
use crate::random::Random;

const EVENTS: usize = 200;
const RULES: usize = 50;
const STATIONS: u64 = 26;
const SENSORS: u64 = 10;
const READINGS: u64 = 4;
const UNITS: [&str; 5] = ["C", "hPa", "lx", "ppm", "m/s"];

pub(crate) fn family() -> Family {
    let mut random = Random::new(0xa44);
    let events = (0..EVENTS).map(|_| event(&mut random).into_bytes()).collect();
    let patterns = (0..RULES).map(|index| pattern(&mut random, index)).collect();
    Family { patterns, events, probe: &["detail", "site"] }
}

fn event(random: &mut Random) -> String {
    let stations: Vec<String> = (0..STATIONS).map(|_| station(random)).collect();
    format!(
        r#"{{"version":"0","id":"{id}","detail-type":"SurveyClosed","source":"com.survey","detail":{{"stations":[{stations}],"site":"site-{site}"}}}}"#,
        id = random.hex(32),
        stations = stations.join(","),
        site = random.below(20),
    )
}

fn station(random: &mut Random) -> String {
    let sensors: Vec<String> = (0..SENSORS).map(|_| sensor(random)).collect();
    format!(
        r#"{{"name":"st-{name:04}","zone":"{zone}","tags":["{tag}","{other}"],"sensors":[{sensors}]}}"#,
        name = random.below(2_000),
        zone = random.one(&["north", "east", "south", "west"]),
        tag = random.hex(6),
        other = random.hex(6),
        sensors = sensors.join(","),
    )
}

fn sensor(random: &mut Random) -> String {
    let reading = |random: &mut Random| {
        let (value, quality) = (random.unit() * 1_000.0, random.below(100));
        let at = random.between(1_760_000_000, 1_770_000_000);
        format!(
            r#"{{"at":{at},"value":{value:.6},"quality":{quality},"note":"{}"}}"#,
            random.hex(24)
        )
    };
    let readings: Vec<String> = (0..READINGS).map(|_| reading(random)).collect();
    format!(
        r#"{{"id":"{id}","serial":{serial},"unit":"{unit}","ok":{ok},"readings":[{readings}]}}"#,
        id = random.hex(16),
        serial = random.below(20_000),
        unit = random.one(&UNITS),
        ok = random.chance(90),
        readings = readings.join(","),
    )
}

fn pattern(random: &mut Random, index: usize) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    let above = |limit: f64| format!(r#"{{"numeric": [">", {limit:.3}]}}"#);
    let unit = quoted(random.one(&UNITS));
    match index % 5 {
        // One of a thousand readings is so high, and so good, in one event of two.
        0 => rule(&[
            ("detail.stations.sensors.readings.value", &above(980.0 + random.unit() * 19.0)),
            ("detail.stations.sensors.readings.quality", r#"{"numeric": [">=", 97]}"#),
        ]),
        1 => rule(&[
            ("detail.stations.sensors.serial", &random.below(20_000).to_string()),
            ("detail.stations.sensors.unit", &unit),
        ]),
        2 => rule(&[
            ("detail.stations.name", &quoted(&format!("st-{:04}", random.below(2_000)))),
            ("detail.stations.zone", &quoted(random.one(&["north", "east", "south", "west"]))),
        ]),
        3 => rule(&[
            ("source", "\"com.survey\""),
            ("detail.stations.sensors.unit", &unit),
            ("detail.stations.sensors.readings.value", &above(999.0)),
        ]),
        _ => rule(&[
            ("detail.stations.zone", r#"{"anything-but": ["north", "south"]}"#),
            ("detail.stations.sensors.ok", "false"),
            (
                "detail.stations.sensors.readings.note",
                &format!(r#"{{"prefix": "{}"}}"#, random.hex(2)),
            ),
        ]),
    }
}
