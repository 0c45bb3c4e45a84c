//! Making a table fit on a screen, so that no line breaks in the middle of a word.
//!
//! What is least needed goes first: fractions of seconds, then the end of the last column, then whole columns, which
//! are named so that nobody takes them for absent.
//!
//! # Invariants
//!
//! - What is no screen (a file, a pipe) gets everything: this is not called for it.

/// Columns that may go, the first one first.
const LEAST_NEEDED: [&str; 21] = [
    "OFFSET",
    "RAW",
    "OFFSETS",
    "QUEUED",
    "DROPPED",
    "ROLE",
    "MS",
    "UNTIL",
    "DIGEST",
    "RULES",
    "EVENT",
    "ATTEMPTS",
    "IN FLIGHT",
    "SINCE",
    "SOURCE",
    "POSTPONED",
    "LAST ERROR",
    "PATTERN",
    "DIED",
    "FROM",
    "BUS",
];
/// Columns of free text: their end may go.
const FREE_TEXT: [&str; 6] = ["ERROR", "LAST ERROR", "WHY", "WAITS ON", "DETAIL", "PATTERN"];
/// Of free text, at least so much stays while there is a column that may go, and so much in any case.
const TEXT_CHARS_MIN: usize = 24;
const TEXT_CHARS_LEAST: usize = 6;
/// Between two columns.
const GAP: usize = 2;

/// Cuts the table down to `width` characters; the names of the columns that are gone.
pub(crate) fn fit(table: &mut [Vec<String>], width: usize) -> Vec<String> {
    let mut gone = Vec::new();
    if fits(table, width, usize::MAX) {
        return gone;
    }
    for cell in table.iter_mut().flatten() {
        shorten_time(cell);
    }
    for name in LEAST_NEEDED {
        if fits(table, width, TEXT_CHARS_MIN) {
            break;
        }
        let heads = table.first().map(Vec::as_slice).unwrap_or_default();
        let Some(column) = heads.iter().position(|head| head == name) else { continue };
        for row in table.iter_mut().filter(|row| column < row.len()) {
            row.remove(column);
        }
        gone.push(name.to_owned());
    }
    shorten_text(table, width);
    gone
}

/// Whether it fits when free text is no longer than `text_max`.
fn fits(table: &[Vec<String>], width: usize, text_max: usize) -> bool {
    let widths = widths(table).into_iter().zip(table.first().into_iter().flatten());
    let least = widths.map(|(widest, head)| {
        let is_text = FREE_TEXT.contains(&head.as_str());
        GAP + if is_text { widest.min(text_max) } else { widest }
    });
    least.sum::<usize>() <= width + GAP
}

fn shorten_text(table: &mut [Vec<String>], width: usize) {
    let all = widths(table);
    let heads = table.first().map(Vec::as_slice).unwrap_or_default();
    let Some(column) = heads.iter().position(|head| FREE_TEXT.contains(&head.as_str())) else {
        return;
    };
    let others: usize =
        all.iter().enumerate().filter(|(at, _)| *at != column).map(|(_, w)| w + GAP).sum();
    let room = width.saturating_sub(others).max(TEXT_CHARS_LEAST);
    for cell in table.iter_mut().filter_map(|row| row.get_mut(column)) {
        if room < cell.chars().count() {
            *cell = cell.chars().take(room - 1).chain(['…']).collect();
        }
    }
}

fn widths(table: &[Vec<String>]) -> Vec<usize> {
    let columns = table.first().map_or(0, Vec::len);
    let widest = |column| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
    };
    (0..columns).map(widest).collect()
}

/// `2026-11-23T08:00:00.140Z` becomes `11-23 08:00:00Z`.
fn shorten_time(cell: &mut String) {
    let shape = "0000-00-00T00:00:00.000Z";
    let is_time = cell.len() == shape.len()
        && cell
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like });
    if let (true, Some(day), Some(time)) = (is_time, cell.get(5..10), cell.get(11..19)) {
        *cell = format!("{day} {time}Z");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let mut one = table(&[&["ID", "DIED", "ERROR"], &["7", "2026-11-23T08:00:00.140Z", "no"]]);
        let before = one.clone();
        assert!(fit(&mut one, 80).is_empty());
        assert_eq!(one, before);
    }

    #[test]
    fn a_listing_of_plugins_keeps_who_it_is_how_it_does_and_why() {
        let heads: &[&str] = &[
            "PLUGIN", "VERSION", "ROLE", "DIGEST", "STATE", "EVENTS", "ERRORS", "CPU", "RULES",
            "ERROR",
        ];
        let fault = "the plugin crashed in parse: out of range (rule `confirm-orders`, event `0198c5f2-0000`)";
        let row: &[&str] = &[
            "dedupe-window",
            "0.1.0",
            "transformer",
            "4cabfd7c1f00",
            "open",
            "123456",
            "1234",
            "12.3 s",
            "confirm-orders +3",
            fault,
        ];
        let mut one = table(&[heads, row]);
        assert_eq!(fit(&mut one, 100), ["ROLE", "DIGEST"]);
        assert!(one[1].last().unwrap().starts_with("the plugin crash"), "{one:?}");
        let mut narrow = table(&[heads, row]);
        assert_eq!(fit(&mut narrow, 80), ["ROLE", "DIGEST", "RULES"]);
    }

    #[test]
    fn times_lose_their_fractions_then_columns_go_and_then_the_end_of_the_text() {
        let long = "POST http://crm.example/hook: 503 Service Unavailable, after a long wait";
        let rows: [&[&str]; 2] = [
            &["ID", "OFFSET", "DIED", "TARGET", "ERROR"],
            &["7", "1234567890", "2026-11-23T08:00:00.140Z", "crm", long],
        ];
        let mut one = table(&rows);
        assert!(fit(&mut one, 80).is_empty());
        assert_eq!(one[1][2], "11-23 08:00:00Z");
        let mut narrow = table(&rows);
        assert_eq!(fit(&mut narrow, 60), ["OFFSET"]);
        for fitted in [&one, &narrow] {
            let line: usize = widths(fitted).iter().map(|width| width + GAP).sum();
            assert!(line <= 80 + GAP, "{fitted:?}");
            assert!(fitted[1].last().unwrap().ends_with('…'), "{fitted:?}");
        }
    }
}
