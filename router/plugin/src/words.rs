//! A plugin's own words, where they go on into listings, errors and records.

/// What is over is cut off: nobody reads so much, and each attempt writes an error's words down.
const BYTES_MAX: usize = 4 << 10;

pub(crate) fn cut(mut words: String) -> String {
    if words.len() > BYTES_MAX {
        words.truncate(words.floor_char_boundary(BYTES_MAX));
        words.push('…');
        words.shrink_to_fit();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_between_letters() {
        let (most, over) = ("é".repeat(2_048), "é".repeat(2_049));
        assert_eq!(cut(most.clone()), most);
        assert_eq!(cut(over), format!("{most}…"));
        assert_eq!(cut(format!("x{most}")), format!("x{}…", "é".repeat(2_047)));
    }
}
