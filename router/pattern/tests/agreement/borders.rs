//! What is hard to read, at every position of the blocks in which a fast reader may go.

use slipswitch_pattern::{Event, Matcher, Pattern, PatternIndex, Scratch};

use crate::{actual, checked, expected};

/// Values whose structure is easily mistaken when a block ends inside them.
fn hard_values() -> Vec<String> {
    let mut values = vec![
        r#""""#.to_owned(),
        r#""\"""#.to_owned(),
        r#""\\""#.to_owned(),
        r#""\\\"\\""#.to_owned(),
        r#""}],{[:\",""#.to_owned(),
        r#""\ud83d\ude80🚀\ud800""#.to_owned(),
        r#"[[],{},[{}],{"a":[]},"]","}","\\","\"",1e5,null]"#.to_owned(),
        r#"{"\"":{"\\":{"\\\"":[["}"]]}},"]}":"{["}"#.to_owned(),
        " \t\r\n[ \t\r\n1 , 2\n]\t ".to_owned(),
        "12345678901234567890.123456789e-17".to_owned(),
    ];
    // Runs of backslashes of either parity, ending before a quote, within and over a block.
    for count in [2, 62, 64, 66, 126, 130] {
        values.push(format!(r#""{}""#, "\\".repeat(count)));
        values.push(format!(r#""{}\"]}}""#, "\\".repeat(count)));
    }
    values.push(format!("{}1{}", "[".repeat(100), "]".repeat(100)));
    values.push(format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100)));
    values
}

#[test]
fn what_is_hard_to_read_is_read_at_every_position_of_a_block() {
    let texts = [
        r#"{"a":[1]}"#,
        r#"{"b":["after"],"z":[{"exists":false}]}"#,
        r#"{"skipped":[{"exists":false}]}"#,
        r#"{"named":[{"exists":true}]}"#,
        r#"{"named":[{"anything-but":"\\"}]}"#,
        r#"{"named":[{"suffix":"\\"},{"suffix":"\"]}"},{"numeric":[">",0]}]}"#,
        r#"{"named":{"a":{"a":[{"exists":false}]}},"b":["after"]}"#,
    ];
    let patterns = texts.map(|text| Pattern::parse(text).expect("the pattern is valid"));
    let (matcher, few) = (Matcher::new(&patterns), Matcher::new(&patterns[..2]));
    let mut scratch = Scratch::default();
    for value in hard_values() {
        for shift in 0..130 {
            let space = " ".repeat(shift);
            let pad = "x".repeat(shift);
            for text in [
                format!(r#"{{"p":"{pad}","skipped":{value},"a":1,"named":{value},"b":"after"}}"#),
                format!(r#"{space}{{"b":"after","named":{value},{space}"skipped":{value},"a":1}}"#),
            ] {
                let event = checked(&text);
                let answer = actual(&matcher, event, &mut scratch);
                assert_eq!(answer, expected(&patterns, event), "{text}");
                let answer = actual(&few, event, &mut scratch);
                assert_eq!(answer, Ok(vec![PatternIndex(0), PatternIndex(1)]), "{text}");
            }
        }
    }
}

#[test]
fn an_event_cut_anywhere_is_answered_or_refused_and_leaves_nothing_behind() {
    let texts = [r#"{"a":{"b":[1]}}"#, r#"{"c":["é\""]}"#, r#"{"d":[{"exists":false}]}"#];
    let patterns = texts.map(|text| Pattern::parse(text).expect("the pattern is valid"));
    let matcher = Matcher::new(&patterns);
    let mut scratch = Scratch::default();
    let run = r"\\".repeat(40);
    let whole = format!(
        r#"{{"a":[{{"b":2,"x":["{run}"]}},{{"b":1}}],"y":{{"z":[[{{}}]]}},"c":"\u00e9\""}}"#
    );
    for end in 0..whole.len() {
        let cut = Event::checked_before(&whole.as_bytes()[..end]);
        if let Err(error) = actual(&matcher, cut, &mut scratch) {
            assert!(error.offset <= end, "{error}");
        }
        let answer = actual(&matcher, checked(&whole), &mut scratch);
        assert_eq!(answer, Ok((0..3).map(PatternIndex).collect()), "after a cut at {end}");
        assert_eq!(actual(&matcher, checked("{}"), &mut scratch), Ok(vec![PatternIndex(2)]));
    }
}
