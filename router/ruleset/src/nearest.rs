//! The word that was probably meant.

/// The most edits between a wrong word and the word that is proposed for it.
const DISTANCE_MAX: usize = 3;

/// The word of `known` nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|&(distance, candidate)| {
            distance <= DISTANCE_MAX && distance * 2 <= candidate.len().max(2)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?" when a word is near, else all of `known` after `otherwise`.
pub(crate) fn suggest(word: &str, known: &[&str], otherwise: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{otherwise} {}", list(known)),
    }
}

/// The words in backquotes, with commas.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_proposed_and_a_far_one_is_not() {
        let known = ["name", "targets", "pattern"];
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("Target", known), Some("targets"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest("colour", known), None);
    }
}
