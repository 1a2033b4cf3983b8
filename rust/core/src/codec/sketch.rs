//! Exact counts of few values, and sketches of many: all mergeable in any order, and countable back.
//!
//! Up to [`EXACT`] distinct values are known with their counts, up to [`MOST`] the counts by the values' hashes. Beyond,
//! they live in a count-min sketch (Cormode and Muthukrishnan 2005) and the number of distinct values is estimated from
//! the smallest hashes (Bar-Yossef et al. 2002). Counts are poured on when they overflow, so the end does not depend on
//! when that was.
//! The hash is xxh3_64 of the value's bytes (integers: little-endian i64), portable and named in the manifest.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use super::counted::Counted;

/// Distinct values that are known themselves.
pub const EXACT: usize = 1024;
/// Distinct values that are counted one by one.
pub const MOST: usize = 50_000;
/// Hashes kept to estimate the number of distinct values (1.1 % standard error).
const SMALLEST: usize = 8192;
pub const WIDTH: usize = 1 << 15;
pub const DEPTH: usize = 2;
/// Name of the persisted hash in the manifest.
pub const HASH: &str = "xxh3_64";

/// A value that can be hashed the same way on every machine.
pub trait Digest {
    fn digest(&self) -> u64;
}

impl Digest for str {
    #[inline]
    fn digest(&self) -> u64 {
        xxh3_64(self.as_bytes())
    }
}

/// An integer as a value to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int(pub i64);

impl From<&Int> for Int {
    fn from(value: &Int) -> Self {
        *value
    }
}

impl Digest for Int {
    #[inline]
    fn digest(&self) -> u64 {
        xxh3_64(&self.0.to_le_bytes())
    }
}

/// `HashMap`'s hasher for this process only: never persisted.
#[derive(Default)]
pub struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(23) ^ xxh3_64(bytes);
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(byte);
    }

    fn write_i64(&mut self, value: i64) {
        self.0 ^= splitmix64(value.cast_unsigned());
    }
}

pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// Steele, Lea and Flood 2014: a counter in, an independent-looking 64-bit number out.
#[inline]
pub fn splitmix64(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How often each value of a column occurs.
#[derive(Debug, Clone)]
pub struct Counts<K>(Tier<K>);

#[derive(Debug, Clone)]
enum Tier<K> {
    Values(FastMap<K, u64>),
    /// By hash, those that `remove` left nothing of among them.
    Hashes(FastMap<i64, u64>),
    Sketch(Box<Sketch>),
}

#[derive(Debug, Clone)]
struct Sketch {
    cells: Vec<u32>,
    smallest: Smallest,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Tier::Values(FastMap::default()))
    }
}

impl<K: Hash + Eq> Counts<K> {
    pub fn add<Q>(&mut self, value: &Q, times: u64)
    where
        K: Borrow<Q> + for<'q> From<&'q Q>,
        Q: Hash + Eq + Digest + ?Sized,
    {
        let Tier::Values(counts) = &mut self.0 else { return self.add_hash(value.digest(), times) };
        if let Some(count) = counts.get_mut(value) {
            *count += times;
        } else if times > 0 {
            counts.insert(K::from(value), times);
            if counts.len() > EXACT {
                self.pour::<Q>();
            }
        }
    }

    /// Not for values that are known themselves.
    fn add_hash(&mut self, hash: u64, times: u64) {
        match &mut self.0 {
            Tier::Values(_) => {}
            Tier::Hashes(counts) => {
                *counts.entry(hash.cast_signed()).or_default() += times;
                if counts.len() > MOST {
                    let mut sketch = Sketch { cells: vec![0; DEPTH * WIDTH], smallest: Smallest::default() };
                    counts.drain().for_each(|(hash, times)| sketch.add(hash.cast_unsigned(), times));
                    self.0 = Tier::Sketch(Box::new(sketch));
                }
            }
            Tier::Sketch(sketch) => sketch.add(hash, times),
        }
    }

    /// Takes occurrences back out; a value that was never added is left alone.
    pub fn remove<Q>(&mut self, value: &Q, times: u64)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Digest + ?Sized,
    {
        match &mut self.0 {
            Tier::Values(counts) => {
                if let Some(count) = counts.get_mut(value) {
                    *count = count.saturating_sub(times);
                    if *count == 0 {
                        counts.remove(value);
                    }
                }
            }
            Tier::Hashes(counts) => {
                if let Some(count) = counts.get_mut(&value.digest().cast_signed()) {
                    *count = count.saturating_sub(times);
                }
            }
            Tier::Sketch(sketch) => {
                for place in places(value.digest()) {
                    if let Some(cell) = sketch.cells.get_mut(place) {
                        *cell = cell.saturating_sub(u32::try_from(times).unwrap_or(u32::MAX));
                    }
                }
            }
        }
    }

    pub fn merge<Q>(&mut self, other: Self)
    where
        K: Borrow<Q> + for<'q> From<&'q Q>,
        Q: Hash + Eq + Digest + ?Sized,
    {
        let theirs = match other.0 {
            Tier::Values(counts) => {
                return counts.into_iter().for_each(|(value, times)| self.add(value.borrow(), times));
            }
            more => more,
        };
        self.pour::<Q>();
        match (&mut self.0, theirs) {
            (Tier::Sketch(ours), Tier::Sketch(theirs)) => ours.merge(*theirs),
            (_, Tier::Sketch(theirs)) => {
                let ours = std::mem::replace(&mut self.0, Tier::Sketch(theirs));
                if let Tier::Hashes(counts) = ours {
                    counts.into_iter().for_each(|(hash, times)| self.add_hash(hash.cast_unsigned(), times));
                }
            }
            (_, Tier::Hashes(counts)) => {
                counts.into_iter().for_each(|(hash, times)| self.add_hash(hash.cast_unsigned(), times));
            }
            (_, Tier::Values(_)) => {}
        }
    }

    /// From values to their hashes.
    fn pour<Q>(&mut self)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Digest + ?Sized,
    {
        if let Tier::Values(counts) = &mut self.0 {
            let by_hash = counts.drain().map(|(value, times)| (value.borrow().digest().cast_signed(), times));
            self.0 = Tier::Hashes(by_hash.collect());
        }
    }

    /// Counts by value, or `None` when there are too many values.
    pub fn exact(&self) -> Option<&FastMap<K, u64>> {
        match &self.0 {
            Tier::Values(counts) => Some(counts),
            _ => None,
        }
    }

    /// Number of distinct values, from the second tier on of all that were ever added: exact, or an estimate.
    pub fn distinct(&self) -> f64 {
        match &self.0 {
            Tier::Values(counts) => counts.len() as f64,
            Tier::Hashes(counts) => counts.len() as f64,
            Tier::Sketch(sketch) => sketch.smallest.estimate(),
        }
    }

    /// What is left of them in a model.
    pub fn frozen<Q>(&self) -> Counted
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Digest + ?Sized,
    {
        match &self.0 {
            Tier::Values(counts) => {
                Counted::each(counts.iter().map(|(value, &times)| (value.borrow().digest(), times)))
            }
            Tier::Hashes(counts) => Counted::each(counts.iter().map(|(hash, &times)| (hash.cast_unsigned(), times))),
            Tier::Sketch(sketch) => Counted::together(&sketch.cells, self.distinct()),
        }
    }
}

impl Sketch {
    fn add(&mut self, hash: u64, times: u64) {
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        for place in places(hash) {
            if let Some(cell) = self.cells.get_mut(place) {
                *cell = cell.saturating_add(times);
            }
        }
        self.smallest.add(hash);
    }

    fn merge(&mut self, other: Self) {
        for (ours, theirs) in self.cells.iter_mut().zip(other.cells) {
            *ours = ours.saturating_add(theirs);
        }
        for hash in other.smallest.hashes {
            self.smallest.add(hash);
        }
    }
}

/// Where a hash is counted: one cell in each of the two rows.
#[inline]
pub fn places(hash: u64) -> [usize; DEPTH] {
    let mask = WIDTH as u64 - 1;
    [(hash & mask) as usize, WIDTH + ((hash >> 32) & mask) as usize]
}

/// The smallest distinct hashes seen.
#[derive(Debug, Clone)]
struct Smallest {
    hashes: Vec<u64>,
    /// Hashes from here on cannot be among the smallest.
    bound: u64,
}

impl Default for Smallest {
    fn default() -> Self {
        Self { hashes: Vec::new(), bound: u64::MAX }
    }
}

impl Smallest {
    fn add(&mut self, hash: u64) {
        if hash < self.bound {
            self.hashes.push(hash);
            if self.hashes.len() >= 4 * SMALLEST {
                self.hashes = self.compact();
                if let (true, Some(&last)) = (self.hashes.len() == SMALLEST, self.hashes.last()) {
                    self.bound = last;
                }
            }
        }
    }

    fn compact(&self) -> Vec<u64> {
        let mut hashes = self.hashes.clone();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.truncate(SMALLEST);
        hashes
    }

    fn estimate(&self) -> f64 {
        let hashes = self.compact();
        match hashes.last() {
            Some(&last) if hashes.len() == SMALLEST => (SMALLEST - 1) as f64 * (u64::MAX as f64 / last.max(1) as f64),
            _ => hashes.len() as f64,
        }
    }
}
