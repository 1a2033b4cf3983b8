//! Which known text an unknown one may be a slip of the keys of.

/// Texts shorter than this differ by a letter from too much, unless it is one too many.
const SHORTEST: usize = 3;
/// From this length on two slips are looked for as well.
const LONG: usize = 9;

/// More known texts than this so near are none: values such as `A-17` are a slip away from each other.
const MOST: usize = 3;

/// The places of the known texts that `seen` is a slip or two away from: a character left out, put in, replaced, or two
/// neighbours swapped. The nearest alone.
pub fn meant(seen: &str, known: &[String]) -> Vec<usize> {
    let length = seen.chars().count();
    if seen.chars().all(|character| character.is_ascii_digit()) {
        return Vec::new(); // digits have no spelling
    }
    for slips in 1..=if length >= LONG { 2 } else { 1 } {
        let near = known.iter().enumerate().filter(|(_, text)| {
            let own = text.chars().count();
            let long_enough = own.min(length) >= SHORTEST || own >= 1 && length == own + 1 && slips == 1;
            long_enough && own.abs_diff(length) <= slips && strsim::osa_distance(seen, text) <= slips
        });
        let places: Vec<usize> = near.map(|(place, _)| place).take(MOST + 1).collect();
        if !places.is_empty() {
            return if places.len() > MOST { Vec::new() } else { places };
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::meant;

    fn known(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn one_slip_of_each_kind_is_found() {
        let days = known(&["monday", "tuesday", "sunday"]);
        for seen in ["mondday", "monay", "mobday", "mnoday", "mondaÿ"] {
            assert_eq!(meant(seen, &days), [0], "{seen}");
        }
        assert!(meant("mnodya", &days).is_empty(), "two slips in a short text");
    }

    #[test]
    fn two_slips_are_found_in_long_texts() {
        let places = known(&["san francisco", "los angeles"]);
        assert_eq!(meant("san fransisko", &places), [0]);
        assert!(meant("sam fransisko", &places).is_empty());
    }

    #[test]
    fn up_to_three_that_are_as_near_are_all_meant_and_more_are_none() {
        let codes = known(&["A-17", "A-18", "B-20", "A-11"]);
        assert_eq!(meant("A-19", &codes), [0, 1, 3]);
        assert_eq!(meant("B-2", &codes), [2]);
        assert!(meant("A-19", &known(&["A-10", "A-11", "A-12", "A-13"])).is_empty());
    }

    #[test]
    fn short_texts_may_have_a_letter_too_many_and_nothing_else() {
        assert_eq!(meant("SmC", &known(&["SC", "NY"])), [0]);
        assert_eq!(meant("2j", &known(&["1", "2"])), [1]);
        assert!(meant("y", &known(&["x", "yes"])).is_empty());
        assert!(meant("ye", &known(&["yes", "no"])).is_empty());
        assert!(meant("", &known(&["x"])).is_empty());
    }

    #[test]
    fn digits_have_no_spelling() {
        assert!(meant("21", &known(&["1", "2"])).is_empty());
        assert!(meant("10234", &known(&["10235"])).is_empty());
    }
}
