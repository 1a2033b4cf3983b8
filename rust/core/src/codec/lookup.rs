//! From a value to its code, fast: a flat open-addressing table for strings, a direct or sorted one for integers.

use xxhash_rust::xxh3::xxh3_64;

use crate::block::{FIRST_VALUE, OTHER};

/// Strings to codes `FIRST_VALUE..`; the hash is never persisted.
#[derive(Debug, Clone)]
pub struct StringTable {
    /// Place + 1 of a value in each slot, 0 for none.
    slots: Vec<u16>,
    keys: Vec<Key>,
    texts: Vec<Box<[u8]>>,
}

/// Longest string that its key holds whole.
const WHOLE: usize = 16;

/// A string of up to [`WHOLE`] bytes, or a longer one's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
    len: usize,
}

impl Key {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let len = bytes.len();
        let eight = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_le_bytes(*part));
        let four = |part: Option<&[u8; 4]>| part.map_or(0, |part| u64::from(u32::from_le_bytes(*part)));
        // The first and the last bytes, which meet or overlap.
        let (first, last) = match len {
            0..4 => (bytes.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)), 0),
            4..8 => (four(bytes.first_chunk()), four(bytes.last_chunk())),
            8..=WHOLE => (eight(bytes.first_chunk()), eight(bytes.last_chunk())),
            _ => (xxh3_64(bytes), 0),
        };
        Self { first, last, len }
    }

    /// Slot of 2^(64 - `shift`): the halves multiplied, folded, and the top bits of that spread once more, since names that
    /// end in a number differ in a few high bits alone.
    #[inline]
    fn slot(self, shift: u32) -> usize {
        let (a, b) = (self.first ^ 0x9e37_79b9_7f4a_7c15, self.last ^ 0xe703_7ed1_a0b4_28db ^ self.len as u64);
        let product = u128::from(a) * u128::from(b);
        ((product as u64 ^ (product >> 64) as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> shift) as usize
    }
}

impl StringTable {
    /// `values` are distinct and fewer than 65,000; of equal ones the first wins.
    pub fn new<S: AsRef<str>>(values: &[S]) -> Self {
        let size = (values.len() * 8).next_power_of_two().max(8);
        let texts: Vec<Box<[u8]>> = values.iter().map(|value| value.as_ref().as_bytes().into()).collect();
        let keys: Vec<Key> = texts.iter().map(|text| Key::of(text)).collect();
        let mut slots = vec![0; size];
        for (place, key) in keys.iter().enumerate() {
            let mut slot = key.slot((size as u64).leading_zeros() + 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = u16::try_from(place + 1).unwrap_or(0);
        }
        Self { slots, keys, texts }
    }

    #[inline(always)]
    pub fn code(&self, value: &str) -> u16 {
        let bytes = value.as_bytes();
        let key = Key::of(bytes);
        let mask = self.slots.len() - 1;
        let mut slot = key.slot((self.slots.len() as u64).leading_zeros() + 1);
        loop {
            let found = self.slots[slot];
            if found == 0 {
                return OTHER;
            }
            let place = usize::from(found - 1);
            if self.keys[place] == key && (key.len <= WHOLE || *self.texts[place] == *bytes) {
                return FIRST_VALUE + found - 1;
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Integers to codes.
#[derive(Debug, Clone)]
pub enum IntTable {
    /// Codes of `low..`, for values close together.
    Direct {
        low: i64,
        codes: Vec<u16>,
    },
    Sorted(Vec<(i64, u16)>),
}

/// Widest range of a direct table.
const RANGE: u64 = 4096;

impl IntTable {
    pub fn new(values: &[i64]) -> Self {
        let code = |place: usize| FIRST_VALUE.saturating_add(u16::try_from(place).unwrap_or(u16::MAX));
        let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
        let range = low.abs_diff(high);
        if range < RANGE {
            let mut codes = vec![OTHER; range as usize + 1];
            for (place, value) in values.iter().enumerate() {
                codes[low.abs_diff(*value) as usize] = code(place);
            }
            return Self::Direct { low, codes };
        }
        let mut sorted: Vec<_> = values.iter().enumerate().map(|(place, value)| (*value, code(place))).collect();
        sorted.sort_unstable();
        Self::Sorted(sorted)
    }

    #[inline]
    pub fn code(&self, value: i64) -> u16 {
        match self {
            Self::Direct { low, codes } => {
                let place = usize::try_from(value.wrapping_sub(*low)).unwrap_or(usize::MAX);
                codes.get(place).copied().unwrap_or(OTHER)
            }
            Self::Sorted(pairs) => match pairs.binary_search_by_key(&value, |pair| pair.0) {
                Ok(place) => pairs[place].1,
                Err(_) => OTHER,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_find_their_code(values in prop::collection::btree_set(".{0,12}|[ab]{0,20}", 0..254), other in ".{0,12}|[ab]{0,20}") {
            let values: Vec<String> = values.into_iter().collect();
            let table = StringTable::new(&values);
            for (place, value) in values.iter().enumerate() {
                prop_assert_eq!(table.code(value), FIRST_VALUE + place as u16);
            }
            prop_assert_eq!(table.code(&other) == OTHER, !values.contains(&other));
        }

        #[test]
        fn integers_find_their_code(values in prop::collection::btree_set(any::<i64>(), 0..254), other: i64) {
            let values: Vec<i64> = values.into_iter().collect();
            let table = IntTable::new(&values);
            for (place, value) in values.iter().enumerate() {
                prop_assert_eq!(table.code(*value), FIRST_VALUE + place as u16);
            }
            prop_assert_eq!(table.code(other) == OTHER, !values.contains(&other));
        }
    }

    #[test]
    fn close_integers_are_looked_up_directly() {
        let table = IntTable::new(&[-2, 3, 100]);
        assert!(matches!(table, IntTable::Direct { .. }));
        assert_eq!([-2, 3, 100, 4, i64::MIN, i64::MAX].map(|value| table.code(value)), [2, 3, 4, 1, 1, 1]);
    }
}
