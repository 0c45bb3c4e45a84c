//! Parcels of land as GeoJSON, in the shape of San Francisco's public city lots: about 900 bytes each,
//! two thirds of them coordinates of 15 to 18 digits that few patterns name.
//!
//! The names of streets are the city's; parcels and outlines are made up.

use crate::families::{Family, rule};
use crate::random::Random;

const EVENTS: usize = 1_000;

const STREETS: [&str; 48] = [
    "MISSION",
    "MARKET",
    "FULTON",
    "GEARY",
    "CALIFORNIA",
    "SACRAMENTO",
    "FOLSOM",
    "HOWARD",
    "BRYANT",
    "HARRISON",
    "VALENCIA",
    "GUERRERO",
    "DOLORES",
    "CHURCH",
    "SANCHEZ",
    "NOE",
    "CASTRO",
    "JEFFERSON",
    "BEACH",
    "NORTH POINT",
    "BAY",
    "FRANCISCO",
    "CHESTNUT",
    "LOMBARD",
    "GREENWICH",
    "FILBERT",
    "UNION",
    "GREEN",
    "VALLEJO",
    "BROADWAY",
    "HYDE",
    "LARKIN",
    "POLK",
    "VAN NESS",
    "GOUGH",
    "OCTAVIA",
    "LAGUNA",
    "BUCHANAN",
    "WEBSTER",
    "STEINER",
    "PIERCE",
    "SCOTT",
    "DIVISADERO",
    "BRODERICK",
    "BAKER",
    "LYON",
    "ACADIA",
    "RHODE ISLAND",
];
const STREET_TYPES: [&str; 6] = ["\"ST\"", "\"ST\"", "\"AVE\"", "\"BLVD\"", "\"DR\"", "null"];
/// Corners that a lot has more when they are written shortly, for as many bytes.
const CORNERS_MORE: usize = 3;
const VACANT: &str = "VACSTWIL";

/// How a coordinate is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coordinates {
    /// `[x, y, z]`
    Arrays,
    /// `{"x": x, "y": y, "z": z}`
    Objects,
}

/// Kinds of rules, five rules each.
#[derive(Clone, Copy)]
pub(crate) enum Rules {
    Exact,
    Prefix,
    Suffix,
    Wildcard,
    IgnoreCase,
    AnythingBut,
    Numeric,
    /// Two coordinates of one point: fields that must match within one element.
    Points,
}

/// The kinds that all engines of the table know.
pub(crate) const COMMON: [Rules; 5] =
    [Rules::Exact, Rules::Prefix, Rules::Wildcard, Rules::IgnoreCase, Rules::AnythingBut];

pub(crate) const ALL: [Rules; 8] = [
    Rules::Exact,
    Rules::Prefix,
    Rules::Suffix,
    Rules::Wildcard,
    Rules::IgnoreCase,
    Rules::AnythingBut,
    Rules::Numeric,
    Rules::Points,
];

pub(crate) fn family(kinds: &[Rules], coordinates: Coordinates) -> Family {
    let mut random = Random::new(0xc17);
    let lots: Vec<Lot> = (0..EVENTS).map(|_| Lot::new(&mut random)).collect();
    let patterns = kinds.iter().flat_map(|kind| kind.rules(&lots)).collect();
    let events = lots.iter().map(|lot| lot.json(coordinates).into_bytes()).collect();
    let probe = match coordinates {
        Coordinates::Arrays => &["properties", "STREET"],
        Coordinates::Objects => &["geometry", "type"],
    };
    Family { patterns, events, probe }
}

struct Lot {
    block: String,
    lot: String,
    number: u64,
    street: &'static str,
    street_type: &'static str,
    points: Vec<(String, String)>,
}

impl Lot {
    fn new(random: &mut Random) -> Self {
        let mut block = format!("{:04}", random.between(1, 7_400));
        if random.chance(10) {
            block.push(char::from(b'A' + u8::try_from(random.below(4)).expect("a letter")));
        }
        let lot = format!("{:03}", random.between(1, 140));
        let (west, south) = (random.between(360, 515), random.between(708, 811));
        // Corners of one parcel: near each other, equal in the first digits.
        let near = random.below(100);
        let mut point = || {
            let len = usize::try_from(random.between(7, 11)).expect("a few digits");
            let x = format!("-122.{west}{near:02}{}", random.digits(len));
            let y = format!("37.{south}{near:02}{}", random.digits(len));
            (x, y)
        };
        let corners = CORNERS_MORE + 7 + point().0.len() % 5;
        let mut points: Vec<_> = (0..corners).map(|_| point()).collect();
        points.push(points[0].clone());
        let skew = random.unit() * random.unit();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below a short length"
        )]
        let street = STREETS[(skew * STREETS.len() as f64) as usize];
        let street_type = random.one(&STREET_TYPES);
        Self { block, lot, number: random.below(3_000), street, street_type, points }
    }

    fn id(&self) -> String {
        if self.number.is_multiple_of(250) {
            return VACANT.to_owned();
        }
        format!("{}{}", self.block, self.lot)
    }

    /// With the spaces that the published file has.
    fn json(&self, coordinates: Coordinates) -> String {
        let skipped = match coordinates {
            Coordinates::Arrays => 0,
            Coordinates::Objects => CORNERS_MORE,
        };
        let (first, rest) = self.points.split_at(3);
        let points: Vec<String> = first
            .iter()
            .chain(&rest[skipped..])
            .map(|(x, y)| match coordinates {
                Coordinates::Arrays => format!("[ {x}, {y}, 0.0 ]"),
                Coordinates::Objects => format!(r#"{{ "x": {x}, "y": {y}, "z": 0.0 }}"#),
            })
            .collect();
        let Self { block, lot, number, street, street_type, .. } = self;
        let side = if number.is_multiple_of(2) { "E" } else { "O" };
        format!(
            r#"{{ "type": "Feature", "properties": {{ "MAPBLKLOT": "{id}", "BLKLOT": "{block}{lot}", "BLOCK_NUM": "{block}", "LOT_NUM": "{lot}", "FROM_ST": "{number}", "TO_ST": "{number}", "STREET": "{street}", "ST_TYPE": {street_type}, "ODD_EVEN": "{side}" }}, "geometry": {{ "type": "Polygon", "coordinates": [ [ {points} ] ] }} }}"#,
            id = self.id(),
            points = points.join(", "),
        )
    }
}

impl Rules {
    fn rules(self, lots: &[Lot]) -> Vec<String> {
        let property = |name: &str, entry: &str| rule(&[(&format!("properties.{name}"), entry)]);
        let street = |operator: &str, text: &str| {
            property("STREET", &format!(r#"{{"{operator}": "{text}"}}"#))
        };
        // Rules that name one lot name one that is among the events.
        let some = |place: usize| &lots[place * lots.len() / 5];
        match self {
            Self::Exact => {
                let exact = |id: &str| property("MAPBLKLOT", &format!("\"{id}\""));
                let mut rules: Vec<String> = (0..4).map(|place| exact(&some(place).id())).collect();
                rules.push(exact(VACANT));
                rules
            }
            Self::Prefix => {
                ["AC", "BA", "DO", "FU", "RH"].map(|text| street("prefix", text)).into()
            }
            Self::Suffix => {
                ["ON", "KE", "IA", "ARD", "CH"].map(|text| street("suffix", text)).into()
            }
            Self::Wildcard => ["143*", "2*0*7", "*218", "3*5*2", "VAC*IL"]
                .map(|text| property("MAPBLKLOT", &format!(r#"{{"wildcard": "{text}"}}"#)))
                .into(),
            Self::IgnoreCase => ["jefferson", "bEaCh", "HyDe", "chestnut", "Union"]
                .map(|text| street("equals-ignore-case", text))
                .into(),
            Self::AnythingBut => vec![
                property("STREET", r#"{"anything-but": ["FULTON", "GEARY"]}"#),
                property("STREET", r#"{"anything-but": ["MISSION"]}"#),
                property("ST_TYPE", r#"{"anything-but": ["ST"]}"#),
                rule(&[("geometry.type", r#"{"anything-but": ["Polygon"]}"#)]),
                property("FROM_ST", r#"{"anything-but": ["441", "442"]}"#),
            ],
            Self::Numeric => (0..5).map(|place| some(place).numeric(place)).collect(),
            Self::Points => (0..5).map(|place| some(place).point(place)).collect(),
        }
    }
}

impl Lot {
    /// One coordinate: by value, above the most, or within a band.
    fn numeric(&self, place: usize) -> String {
        let (x, y) = &self.points[1];
        let (path, wanted) = match place {
            0 => ("x", format!(r#""=", {x}"#)),
            1 => ("y", format!(r#""=", {y}"#)),
            2 => ("x", r#"">", -122.3615"#.to_owned()),
            3 => ("x", r#"">=", -122.4312, "<", -122.43"#.to_owned()),
            _ => ("y", r#"">", 37.7301, "<=", 37.731"#.to_owned()),
        };
        let entry = format!(r#"{{"numeric": [{wanted}]}}"#);
        rule(&[("geometry.type", "\"Polygon\""), (&format!("geometry.coordinates.{path}"), &entry)])
    }

    /// Both coordinates of a point; where `place` is odd, of two points, so that no element has both.
    fn point(&self, place: usize) -> String {
        let equal = |number: &str| format!(r#"{{"numeric": ["=", {number}]}}"#);
        let x = equal(&self.points[1].0);
        let y = equal(&self.points[1 + place % 2].1);
        rule(&[
            ("geometry.type", "\"Polygon\""),
            ("geometry.coordinates.x", &x),
            ("geometry.coordinates.y", &y),
            ("geometry.coordinates.z", &equal("0.0")),
        ])
    }
}
