//! From a value to its code, fast: a flat open-addressing table for strings, a direct or sorted one for integers.

use xxhash_rust::xxh3::xxh3_64;

use crate::block::{FIRST_VALUE, OTHER};

/// Strings to codes `FIRST_VALUE..`; the hash is never persisted.
#[derive(Debug, Clone)]
pub struct StringTable {
    /// Place + 1 of a value in each slot, 0 for none.
    slots: Vec<u16>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl StringTable {
    /// `values` are distinct and fewer than 65,000; of equal ones the first wins.
    pub fn new<S: AsRef<str>>(values: &[S]) -> Self {
        let size = (values.len() * 4).next_power_of_two().max(8);
        let mut table = Self { slots: vec![0; size], bytes: Vec::new(), ends: Vec::with_capacity(values.len()) };
        for (place, value) in values.iter().enumerate() {
            let bytes = value.as_ref().as_bytes();
            table.bytes.extend_from_slice(bytes);
            table.ends.push(u32::try_from(table.bytes.len()).unwrap_or(u32::MAX));
            let mut slot = xxh3_64(bytes) as usize & (size - 1);
            while table.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            table.slots[slot] = u16::try_from(place + 1).unwrap_or(0);
        }
        table
    }

    #[inline]
    fn value(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.bytes[start..self.ends[place] as usize]
    }

    #[inline]
    pub fn code(&self, value: &str) -> u16 {
        let bytes = value.as_bytes();
        let mask = self.slots.len() - 1;
        let mut slot = xxh3_64(bytes) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return OTHER,
                found if self.value(usize::from(found - 1)) == bytes => return FIRST_VALUE + found - 1,
                _ => slot = (slot + 1) & mask,
            }
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
        fn strings_find_their_code(values in prop::collection::btree_set(".{0,12}", 0..254), other in ".{0,12}") {
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
