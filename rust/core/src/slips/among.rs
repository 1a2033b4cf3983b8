//! Texts of few rows that are one slip away from a text of many.
//!
//! A slip is a character left out, put in or replaced, or two neighbours swapped (Damerau 1964); digits are no slips of each other, for `A-17`
//! is no `A-18`, and nothing is a slip of less than four characters. A text is one that is a slip away from another of twenty times as many
//! rows. Of ten rows or more it is not rare enough to be one for this alone: as many rows must have rarer slips of the same text.
//! The other texts of ten rows or more say what is no slip in this column: what parts two of them (`Type A`, `Type B`), by the class of the
//! letters, is their nature. And of names some are alike by chance: where less than one in twenty of all that is rare is a slip, none is.
//! Candidates share what is left of both without one character (the deletion neighbourhood; Bocek, Hunt and Stiller 2007, Fast
//! similarity search in large dictionaries).

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::codec::class;

const COMMON: u64 = 10;
const TIMES_RARER: u64 = 20;
const RARE_ONES: usize = 20;
const SHORTEST: usize = 4;
/// Longer texts are compared by nobody.
pub const LONGEST: usize = 256;
/// Common texts beyond which a column is no list of values.
const MOST_COMMON: usize = 4_096;
/// An odd number of 64 random bits.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// What was done to a text, and to letters of which classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slip {
    /// Or left out.
    PutIn(char),
    Replaced(char, char),
    Swapped(char, char),
}

/// The slips among texts that so many rows have each, and what was meant.
pub fn among(counts: &HashMap<&str, u64>) -> HashMap<String, String> {
    let fits = |text: &str| (SHORTEST..=LONGEST).contains(&text.chars().count());
    let common: Vec<&str> =
        counts.iter().filter(|&(text, &count)| count >= COMMON && fits(text)).map(|(text, _)| *text).collect();
    if common.is_empty() || common.len() > MOST_COMMON {
        return HashMap::new();
    }
    let known = Known::new(&common, counts);
    let natural = known.natural(&common);
    let all: Vec<&str> = counts.keys().copied().collect();
    let meant = all.into_par_iter().filter_map(|text| Some((text, known.meant(text, &natural)?)));
    let mut slips: HashMap<&str, &str> = meant.collect();
    let mut beside: HashMap<&str, u64> = HashMap::new();
    for (text, meant) in slips.iter().filter(|(text, _)| counts[*text] < COMMON) {
        *beside.entry(meant).or_default() += counts[text];
    }
    slips.retain(|text, meant| counts[text] < COMMON || beside.get(meant).is_some_and(|&rows| rows >= counts[text]));
    let rare = counts.iter().filter(|&(text, &count)| count < COMMON || slips.contains_key(text)).count();
    if slips.len() * RARE_ONES < rare {
        return HashMap::new();
    }
    slips.into_iter().map(|(text, meant)| (text.to_owned(), meant.to_owned())).collect()
}

/// Texts of many rows, by what is left of them without a character.
struct Known<'a> {
    rests: HashMap<u64, Vec<&'a str>>,
    lengths: HashSet<usize>,
    counts: &'a HashMap<&'a str, u64>,
}

impl<'a> Known<'a> {
    fn new(texts: &[&'a str], counts: &'a HashMap<&'a str, u64>) -> Self {
        let lengths = texts.iter().map(|text| text.chars().count()).collect();
        let mut known = Self { rests: HashMap::new(), lengths, counts };
        for &text in texts {
            rests(text).into_iter().for_each(|rest| known.rests.entry(rest).or_default().push(text));
        }
        known
    }

    /// Those that a text is a slip away from.
    fn near(&self, text: &str) -> HashMap<&'a str, Slip> {
        let length = text.chars().count();
        if !(length.saturating_sub(1)..=length + 1).any(|length| self.lengths.contains(&length)) {
            return HashMap::new();
        }
        let like = rests(text).into_iter().filter_map(|rest| self.rests.get(&rest)).flatten();
        like.filter_map(|&other| Some((other, slip(text, other)?))).collect()
    }

    /// The commonest that a text is a slip of; of equals the first by its letters, so that the order of rows says nothing.
    fn meant(&self, text: &str, natural: &HashSet<Slip>) -> Option<&'a str> {
        let rows = |text: &str| self.counts[text];
        let near = self.near(text).into_iter().filter(|(_, slip)| !natural.contains(slip)).map(|(other, _)| other);
        let far = near.filter(|other| rows(other) >= TIMES_RARER * rows(text));
        far.max_by_key(|&other| (rows(other), std::cmp::Reverse(other)))
    }

    /// What parts two of them, but for those that are themselves so much rarer than one that is near.
    fn natural(&self, texts: &[&str]) -> HashSet<Slip> {
        let of_one = |text: &&str| {
            let near = self.near(text);
            let is_slip = near.keys().any(|other| self.counts[other] >= TIMES_RARER * self.counts[text]);
            (!is_slip).then_some(near)
        };
        let plain: HashMap<&str, HashMap<&str, Slip>> =
            texts.par_iter().filter_map(|text| Some((*text, of_one(text)?))).collect();
        let pairs = plain.values().flatten();
        pairs.filter(|(other, _)| plain.contains_key(*other)).map(|(_, &slip)| slip).collect()
    }
}

/// Hashes of a text and of all that is left of it without one character.
fn rests(text: &str) -> HashSet<u64> {
    let letters: Vec<u64> = text.chars().map(|letter| u64::from(u32::from(letter))).collect();
    let mut powers = vec![1_u64];
    letters.iter().for_each(|_| powers.push(powers[powers.len() - 1].wrapping_mul(BASE)));
    let summed = |sum: &mut u64, (letter, power): (&u64, &u64)| {
        *sum = sum.wrapping_add(letter.wrapping_mul(*power));
        Some(*sum)
    };
    let before = letters.iter().zip(&powers).scan(0, summed);
    let before: Vec<u64> = std::iter::once(0).chain(before).collect();
    // The letters from a place on, each one place to the left.
    let mut after = vec![0_u64; letters.len() + 1];
    for at in (1..letters.len()).rev() {
        after[at] = after[at + 1].wrapping_add(letters[at].wrapping_mul(powers[at - 1]));
    }
    let without = (0..letters.len()).map(|at| before[at].wrapping_add(after[at + 1]));
    without.chain(before.last().copied()).collect()
}

/// How one text is one slip away from another; None where it is not.
fn slip(one: &str, other: &str) -> Option<Slip> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let ahead = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let behind = one[ahead..].iter().rev().zip(other[ahead..].iter().rev()).take_while(|(a, b)| a == b).count();
    let pair = |a: char, b: char| {
        let (a, b) = (coarse(a), coarse(b));
        ((a, b) != ('9', '9')).then_some((a.min(b), a.max(b)))
    };
    match (&one[ahead..one.len() - behind], &other[ahead..other.len() - behind]) {
        ([], [put]) | ([put], []) => Some(coarse(*put)).filter(|&class| class != '9').map(Slip::PutIn),
        (&[a], &[b]) => pair(a, b).map(|(a, b)| Slip::Replaced(a, b)),
        (&[a, b], &[c, d]) if a == d && b == c => pair(a, b).map(|(a, b)| Slip::Swapped(a, b)),
        _ => None,
    }
}

/// The class of a letter, where all signs but spaces are one.
fn coarse(letter: char) -> char {
    match class(letter) {
        letter @ ('9' | 'A' | 'a') => letter,
        sign if sign.is_whitespace() => ' ',
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[(&str, u64)]) -> Vec<(String, String)> {
        let mut slips: Vec<_> = among(&values.iter().copied().collect()).into_iter().collect();
        slips.sort();
        slips
    }

    fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(seen, meant)| ((*seen).to_owned(), (*meant).to_owned())).collect()
    }

    #[test]
    fn one_slip_of_each_kind_is_one() {
        for seen in ["birminghxm", "birmingam", "birminghham", "birmignham", "irmingham", "birmingham "] {
            assert!(slip(seen, "birmingham").is_some(), "{seen}");
            assert_eq!(slip(seen, "birmingham"), slip("birmingham", seen));
        }
        for seen in ["birmingham", "birminhgxm", "brmingam", "mingham"] {
            assert!(slip(seen, "birmingham").is_none(), "{seen}");
        }
    }

    #[test]
    fn digits_are_no_slips_of_each_other_and_letters_are() {
        for (one, other) in [("A-17", "A-18"), ("115.0", "11.0"), ("A-71", "A-17")] {
            assert_eq!(slip(one, other), None);
        }
        assert_eq!(slip("1000x", "10008"), Some(Slip::Replaced('9', 'a')));
        assert_eq!(slip("10-08", "1008"), Some(Slip::PutIn('.')));
        assert_eq!(slip("1 O08", "1O 08"), Some(Slip::Swapped(' ', 'A')));
    }

    #[test]
    fn what_is_rare_and_near_to_what_is_common_is_told() {
        let values =
            [("Paris", 200), ("Berlin", 100), ("Pariss", 9), ("Pari", 11), ("Brelin", 5), ("Berlim", 6), ("Rome", 1)];
        // `Pari` is common, and not so much rarer than `Paris`: letters are put in here by nature, and swapped by mistake.
        assert_eq!(found(&values), told(&[("Brelin", "Berlin")]));
        assert_eq!(found(&values[..3]), told(&[("Pariss", "Paris")]));
        // 100 is 20 times 5, and not 20 times 6.
        assert_eq!(found(&[values[1], values[4], values[5], values[6]]), told(&[("Brelin", "Berlin")]));
        assert_eq!(found(&[("abc", 500), ("abx", 1)]), []);
        assert_eq!(found(&[("abcd", 500), ("abc", 1)]), told(&[("abc", "abcd")]));
    }

    #[test]
    fn what_parts_common_texts_is_no_slip_there() {
        let months = [("JANUARY", 20), ("JUNE", 20), ("JULE", 20)];
        let seen = [("JANUARI", 1), ("JUNEx", 1), ("JUEN", 1), ("JUNNE", 1)];
        // Capitals are replaced by nature; put in or swapped they are not.
        let expected = [("JUEN", "JUNE"), ("JUNEx", "JUNE"), ("JUNNE", "JUNE")];
        assert_eq!(found(&[months.as_slice(), &seen].concat()), told(&expected));
    }

    #[test]
    fn slips_of_one_text_are_no_nature_and_may_be_many_where_others_are_rare() {
        let code = [("G5020", 4_000), ("G500", 15), ("G50x0", 20)];
        // `G500` and `G50x0` are a slip from each other, and so much rarer than `G5020`; there is nothing beside them.
        assert_eq!(found(&code), []);
        let rare = [("g5020", 8), ("GG5020", 7)];
        let expected = [("G50x0", "G5020"), ("GG5020", "G5020"), ("g5020", "G5020")];
        assert_eq!(found(&[&code[..1], &code[2..], &rare].concat()), told(&expected[1..]));
        assert_eq!(found(&[&code[..1], &code[2..], &rare, &[("G5 020", 5)]].concat()).len(), 4);
    }

    #[test]
    fn one_of_many_rare_values_is_near_by_chance() {
        let names: Vec<String> = (0..20).map(|at| format!("{at} {at}{at}{at} Street")).collect();
        let mut values = vec![("Maria", 200), ("Mario", 1)];
        values.extend(names[..19].iter().map(|name| (name.as_str(), 1)));
        assert_eq!(found(&values), told(&[("Mario", "Maria")]));
        values.push((&names[19], 1));
        assert_eq!(found(&values), []);
    }

    #[test]
    fn of_two_that_may_be_meant_it_is_the_commoner() {
        let values = [("maple lane", 30), ("maple lake", 40)];
        assert_eq!(found(&[values[0], ("maple lanes", 1)]), told(&[("maple lanes", "maple lane")]));
        assert_eq!(found(&[values[0], values[1], ("maple lanes", 1)]).len(), 1);
        assert_eq!(found(&[("cart", 30), ("bars", 40), ("bart", 1)]), told(&[("bart", "bars")]));
    }

    #[test]
    fn hashes_of_rests_are_those_of_the_rests() {
        let whole = |text: &str| {
            let mut power = 1_u64;
            text.chars().fold(0_u64, |sum, letter| {
                let sum = sum.wrapping_add(u64::from(u32::from(letter)).wrapping_mul(power));
                power = power.wrapping_mul(BASE);
                sum
            })
        };
        let expected: HashSet<u64> = ["zoë", "oë", "zë", "zo"].into_iter().map(whole).collect();
        assert_eq!(rests("zoë"), expected);
        assert_eq!(rests(""), HashSet::from([0]));
    }
}
