//! How often each value of a column occurred, frozen: what is left of [`Counts`](super::sketch::Counts) in a model.
//!
//! One less: a row of the fit has its own value once at least, and a new row whose value nobody has must look like one whose
//! value nobody else has. So must a row of the fit that is scored later: a value that occurs once is as good as none.
//!
//! Value by value where there were few enough: the upper half of the value's hash, and its count. Else count-min cells,
//! which tell only values that stand out from what falls into a cell by chance. A count is a byte, `round(8 ln(1 + count))`:
//! 6 % steps, enough for a logarithm, and exact up to 8.

use super::sketch::{DEPTH, MOST, WIDTH, places};
use crate::error::{Error, Result};

/// Rows up to which a byte is exact, rounded.
pub const FEW: f64 = 8.0;
/// Bytes of one value: its hash and its count.
const EACH: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Upper halves of hashes, ascending, and the count of each; those that begin with the same bits lie from
    /// `starts[bits]` to `starts[bits + 1]`.
    Each { hashes: Vec<u32>, counts: Vec<u8>, starts: Vec<u32>, shift: u32 },
    /// Count-min cells.
    Together(Vec<u8>),
}

impl Counted {
    /// Of the counts of distinct values, by their hash, one less each; a count of 0 is as good as none.
    pub fn each(counts: impl Iterator<Item = (u64, u64)>) -> Self {
        let known = counts.map(|(hash, count)| (hash, count.saturating_sub(1))).filter(|(_, count)| *count > 0);
        let mut pairs: Vec<(u32, u8)> = known.map(|(hash, count)| (upper(hash), byte(count as f64))).collect();
        // Two values with one upper half (a pair in every third column of the most values): the commoner counts for both.
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        pairs.dedup_by_key(|pair| pair.0);
        let (hashes, counts) = pairs.into_iter().unzip();
        Self::indexed(hashes, counts)
    }

    fn indexed(hashes: Vec<u32>, counts: Vec<u8>) -> Self {
        // About one value a start.
        let bits = hashes.len().max(2).next_power_of_two().trailing_zeros();
        let shift = u32::BITS - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for hash in &hashes {
            starts[(hash >> shift) as usize + 1] += 1;
        }
        for bits in 1..starts.len() {
            starts[bits] += starts[bits - 1];
        }
        Self::Each { hashes, counts, starts, shift }
    }

    /// Of count-min cells of about so many distinct values, one less each.
    ///
    /// The lower half of a row's cells says what falls into a cell by chance: what is more than four deviations above
    /// the median is a value's own, less counts as often as one of the values in a cell like that.
    pub fn together(cells: &[u32], distinct: f64) -> Self {
        let frozen = cells.chunks(WIDTH).flat_map(|row| {
            let mut sorted = row.to_vec();
            sorted.sort_unstable();
            let (median, low) = (sorted[row.len() / 2], sorted[row.len() * 16 / 100]);
            let most = median.saturating_add((median - low).max(1).saturating_mul(4));
            let usual = (f64::from(median) * row.len() as f64 / distinct).round().max(1.0);
            row.iter().map(move |&cell| {
                let above = if cell > most { f64::from(cell - median) } else { 0.0 };
                byte(usual + above - 1.0)
            })
        });
        Self::Together(frozen.collect())
    }

    /// Nothing: what a redacted model counts by without its key.
    pub fn none() -> Self {
        Self::indexed(Vec::new(), Vec::new())
    }

    #[inline]
    pub fn byte(&self, hash: u64) -> u8 {
        match self {
            Self::Each { hashes, counts, starts, shift } => {
                let sought = upper(hash);
                let place = (sought >> shift) as usize;
                let (from, to) = (starts[place] as usize, starts[place + 1] as usize);
                hashes[from..to].binary_search(&sought).map_or(0, |at| counts[from + at])
            }
            Self::Together(cells) => {
                let [first, second] = places(hash);
                cells[first].min(cells[second])
            }
        }
    }

    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Each { .. })
    }

    /// The hashes (little-endian) and then the counts, or the cells.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Each { hashes, counts, .. } => {
                let hashes = hashes.iter().flat_map(|hash| hash.to_le_bytes());
                hashes.chain(counts.iter().copied()).collect()
            }
            Self::Together(cells) => cells.clone(),
        }
    }

    /// Whether bytes of this length can be counts.
    pub fn fits(bytes: usize, exact: bool) -> bool {
        if exact { bytes.is_multiple_of(EACH) && bytes <= MOST * EACH } else { bytes == DEPTH * WIDTH }
    }

    pub fn from_bytes(bytes: &[u8], exact: bool) -> Result<Self> {
        let damaged = || Error::model_file("the counts of a column are damaged");
        if !Self::fits(bytes.len(), exact) {
            return Err(damaged());
        }
        if !exact {
            return Ok(Self::Together(bytes.to_vec()));
        }
        let (hashes, counts) = bytes.split_at(bytes.len() / EACH * (EACH - 1));
        let hashes: Vec<u32> = hashes.as_chunks().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect();
        if hashes.windows(2).any(|pair| pair[0] >= pair[1]) || counts.contains(&0) {
            return Err(damaged());
        }
        Ok(Self::indexed(hashes, counts.to_vec()))
    }
}

/// How often a byte says, about.
pub fn count(byte: u8) -> f64 {
    (f64::from(byte) / 8.0).exp_m1()
}

fn byte(count: f64) -> u8 {
    (8.0 * count.ln_1p()).round().min(255.0) as u8
}

#[inline]
fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::splitmix64;

    #[test]
    fn a_byte_is_exact_up_to_eight() {
        for often in 0..=8 {
            assert_eq!(count(byte(f64::from(often))).round(), f64::from(often));
        }
        assert_eq!(byte(1e30), 255);
    }

    #[test]
    fn each_value_has_its_own_count_and_others_none() {
        for values in [0, 1, 2, 3, 1_000, MOST as u64] {
            let counted = Counted::each((0..values).map(|value| (splitmix64(value), value % 7 + 1)));
            let (known, others) = (0..values, values..2 * values);
            assert!(known.clone().all(|value| counted.byte(splitmix64(value)) == byte((value % 7) as f64)), "{values}");
            // An upper half that is another value's: once in 2^32 / 50,000.
            assert!(others.filter(|value| counted.byte(splitmix64(*value)) > 0).count() <= 3);
            assert_eq!(Counted::from_bytes(&counted.to_bytes(), true).unwrap(), counted);
        }
    }

    #[test]
    fn values_of_one_upper_half_count_as_the_commoner() {
        let counted = Counted::each([(5 << 32, 2), (5 << 32 | 9, 7), (7 << 32, 3), (8 << 32, 1)].into_iter());
        assert_eq!([5, 6, 7, 8].map(|upper| counted.byte(upper << 32)), [byte(6.0), 0, byte(2.0), 0]);
    }

    #[test]
    fn of_many_values_those_that_stand_out_are_told() {
        let mut cells = vec![0_u32; DEPTH * WIDTH];
        let mut add = |value: u64, times| places(splitmix64(value)).into_iter().for_each(|place| cells[place] += times);
        (0..100_000).for_each(|value| add(value, 1));
        (0..100).for_each(|value| add(value, 99));
        let counted = Counted::together(&cells, 100_000.0);
        let shown = |value: u64| count(counted.byte(splitmix64(value))).round();
        assert!((0..100).all(|value| (94.0..=110.0).contains(&shown(value))));
        // Three a cell by chance, eleven and more in one of 10,000 and the repeated ones in 3 of 1,000: both cells 1e-5.
        assert!((100..100_000).filter(|&value| shown(value) > 0.0).count() < 20);
        assert!((200_000..300_000).filter(|&value| shown(value) > 0.0).count() < 20);
        assert_eq!(Counted::from_bytes(&counted.to_bytes(), false).unwrap(), counted);
    }

    #[test]
    fn counts_that_are_no_counts_are_refused() {
        let good = Counted::each([(1 << 32, 2), (2 << 32, 4)].into_iter()).to_bytes();
        assert_eq!(good, [1, 0, 0, 0, 2, 0, 0, 0, 6, 11]);
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        for (bytes, exact) in [
            (good[1..].to_vec(), true),
            (good.clone(), false),
            (changed(0, 2), true),
            (changed(0, 3), true),
            (changed(9, 0), true),
            (vec![0; EACH * (MOST + 1)], true),
            (vec![0; DEPTH * WIDTH + 1], false),
        ] {
            assert!(Counted::from_bytes(&bytes, exact).is_err());
        }
    }
}
