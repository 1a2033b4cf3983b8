//! What a codec of a redacted model has instead of values: keyed hashes of its vocabulary, and counts under a veil.
//!
//! Without the key both can be read, written and counted, and tell nothing of a value. With it a value finds its code by
//! its hash; each distinct value of a stretch of rows is hashed once.

use std::hash::Hash;

use rayon::prelude::*;

use super::counted::Counted;
use super::read::{NULL_KEY, Strings};
use super::sketch::FastMap;
use crate::block::{FIRST_VALUE, MISSING, OTHER};
use crate::error::{Error, Result};
use crate::secret::{Digest, Secret};
use crate::store::Store;

/// Rows whose distinct values are hashed once.
const STRETCH: usize = 4_096;
const WIDTH: usize = size_of::<Digest>();

/// A vocabulary in code order.
#[derive(Debug, Clone)]
pub struct Hashes {
    all: Vec<Digest>,
    /// The same in order, each with its code.
    codes: Vec<(Digest, u16)>,
    /// The column's own.
    secret: Option<Secret>,
}

impl Hashes {
    pub fn of<S: AsRef<str>>(values: &[S], secret: Secret) -> Self {
        let all = values.iter().map(|value| secret.digest(value.as_ref().as_bytes())).collect();
        Self::new(all, Some(secret))
    }

    fn new(all: Vec<Digest>, secret: Option<Secret>) -> Self {
        let mut codes: Vec<(Digest, u16)> = all.iter().copied().zip(FIRST_VALUE..).collect();
        codes.sort_unstable();
        Self { all, codes, secret }
    }

    pub fn unlocked(&self, secret: Secret) -> Self {
        Self { secret: Some(secret), ..self.clone() }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn code(&self, value: &[u8]) -> u16 {
        let Some(secret) = &self.secret else { return OTHER };
        let found = self.codes.binary_search_by_key(&secret.digest(value), |known| known.0);
        found.ok().and_then(|at| self.codes.get(at)).map_or(OTHER, |known| known.1)
    }

    /// The codes of a batch's strings.
    pub fn codes(&self, strings: &Strings<'_>) -> Vec<u16> {
        let code = |value: &str| self.code(value.as_bytes());
        match strings {
            Strings::Dictionary { keys, values } => {
                let codes = each_once(values.len(), |at| values.get(at), code);
                let code = |key: &u32| match *key {
                    NULL_KEY => MISSING,
                    key => codes.get(key as usize).copied().unwrap_or(MISSING),
                };
                keys.iter().map(code).collect()
            }
            plain => each_once(plain.len(), |row| plain.get(row), code),
        }
    }

    pub fn write(&self, store: &mut Store, name: &str) {
        store.put_u8(name, self.all.concat());
    }

    /// At most `most`, all distinct.
    pub fn read(store: &Store, name: &str, most: usize) -> Result<Self> {
        let (all, rest) = store.get_u8(name)?.as_chunks::<WIDTH>();
        let hashes = (rest.is_empty() && all.len() <= most).then(|| Self::new(all.to_vec(), None));
        hashes
            .filter(|hashes| hashes.codes.windows(2).all(|pair| pair[0].0 < pair[1].0))
            .ok_or_else(|| Error::model_file(format!("the hashes of `{name}` are damaged")))
    }
}

/// Codes of rows, asked once for each distinct value of a stretch.
pub fn each_once<T: Copy + Eq + Hash>(
    rows: usize,
    value: impl Fn(usize) -> Option<T> + Sync,
    code: impl Fn(T) -> u16 + Sync,
) -> Vec<u16> {
    let starts: Vec<usize> = (0..rows).step_by(STRETCH).collect();
    let of_stretch = |start: usize| {
        let mut known: FastMap<T, u16> = FastMap::default();
        let of_row = |row| value(row).map_or(MISSING, |value| *known.entry(value).or_insert_with(|| code(value)));
        (start..(start + STRETCH).min(rows)).map(of_row).collect::<Vec<u16>>()
    };
    starts.into_par_iter().map(of_stretch).collect::<Vec<_>>().concat()
}

/// Counts by hash, veiled: the stream starts at a keyed digest of the counts, which also tells damage once they are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veiled {
    start: Digest,
    bytes: Vec<u8>,
    /// Whether the counts are those of each value.
    pub exact: bool,
}

impl Veiled {
    pub fn of(counts: &[u8], exact: bool, secret: &Secret) -> Self {
        let start = secret.digest(counts);
        Self { start, bytes: secret.veil(&start, counts), exact }
    }

    /// None where the bytes are not those that were veiled.
    pub fn open(&self, secret: &Secret) -> Option<Vec<u8>> {
        let counts = secret.veil(&self.start, &self.bytes);
        (secret.digest(&counts) == self.start).then_some(counts)
    }

    pub fn write(&self, store: &mut Store, prefix: &str) {
        store.put_u8(format!("{prefix}.counts"), self.bytes.clone());
        store.put_u8(format!("{prefix}.counts.start"), self.start.to_vec());
    }

    pub fn read(store: &Store, prefix: &str, exact: bool) -> Result<Self> {
        let damaged = || Error::model_file(format!("tensor `{prefix}.counts` is damaged"));
        let bytes = store.get_u8(&format!("{prefix}.counts"))?.to_vec();
        let start = store.get_u8(&format!("{prefix}.counts.start"))?.try_into().map_err(|_| damaged())?;
        if Counted::fits(bytes.len(), exact) { Ok(Self { start, bytes, exact }) } else { Err(damaged()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_finds_its_code_with_the_key_alone() {
        let secret = Secret::new(&[7; 16]).unwrap();
        let hashes = Hashes::of(&["b", "a", ""], secret.clone());
        let codes = |hashes: &Hashes| ["b", "a", "", "c"].map(|value| hashes.code(value.as_bytes()));
        assert_eq!(codes(&hashes), [2, 3, 4, 1]);
        let mut store = Store::default();
        hashes.write(&mut store, "v");
        let locked = Hashes::read(&store, "v", 3).unwrap();
        assert_eq!(codes(&locked), [OTHER; 4]);
        assert_eq!(codes(&locked.unlocked(secret)), [2, 3, 4, 1]);
        assert!(Hashes::read(&store, "v", 2).is_err());
    }

    #[test]
    fn hashes_that_repeat_or_are_cut_are_refused() {
        let mut store = Store::default();
        store.put_u8("twice", vec![5; 2 * WIDTH]);
        store.put_u8("cut", vec![5; WIDTH + 1]);
        assert!(Hashes::read(&store, "twice", 9).is_err());
        assert!(Hashes::read(&store, "cut", 9).is_err());
    }

    #[test]
    fn rows_have_the_codes_of_their_values_across_stretches() {
        let value = |row: usize| (!row.is_multiple_of(7)).then_some(row as i64 % 5);
        let codes = each_once(3 * STRETCH + 1, value, |value| value as u16 + 10);
        let expected: Vec<u16> =
            (0..3 * STRETCH + 1).map(|row| value(row).map_or(MISSING, |v| v as u16 + 10)).collect();
        assert_eq!(codes, expected);
    }
}
