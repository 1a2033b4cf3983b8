//! Cells that are null together, drawn so: `python/tabad/diffusion/ties.py`, row by row.

use super::MASK;
use super::stream::Stream;
use crate::error::{Error, Result};

/// Which categories are bound by null rules, and how. Legend: T tied categories.
#[derive(Debug, Default)]
pub struct Ties {
    /// [T].
    categories: Vec<usize>,
    /// The code of each that says null [T].
    null: Vec<u16>,
    /// Whether a null of one makes one of the other [T, T].
    implies: Vec<bool>,
    /// Whether some rule has both [T, T].
    bound: Vec<bool>,
}

/// What the cells seen say of those that are tied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    must_null: bool,
    must_value: bool,
}

impl Said {
    fn is_open(self) -> bool {
        !self.must_null && !self.must_value
    }

    /// Whether a code may be drawn. What stands may contradict itself: then nothing is ruled out.
    pub fn allows(self, is_null: bool) -> bool {
        self.must_null == self.must_value || self.must_null == is_null
    }
}

impl Ties {
    /// Refuses lists that do not fit each other.
    pub fn new(categories: Vec<usize>, null: Vec<u16>, implies: Vec<bool>, bound: Vec<bool>) -> Result<Self> {
        let square = categories.len() * categories.len();
        if null.len() != categories.len() || implies.len() != square || bound.len() != square {
            return Err(Error::usage("ties-shape", "ties of other sizes than their categories"));
        }
        Ok(Self { categories, null, implies, bound })
    }

    pub(super) fn categories(&self) -> &[usize] {
        &self.categories
    }

    pub(super) fn null(&self, tie: usize) -> u16 {
        self.null[tie]
    }

    /// Of each tied category what those seen say [T].
    pub(super) fn said(&self, seen: &[u16], said: &mut Vec<Said>) {
        let count = self.categories.len();
        said.clear();
        said.resize(count, Said::default());
        for (one, (&category, &null)) in self.categories.iter().zip(&self.null).enumerate() {
            let code = seen[category];
            for other in 0..count {
                if code == null {
                    said[other].must_null |= self.implies[one * count + other];
                } else if code != MASK {
                    said[other].must_value |= self.implies[other * count + one];
                }
            }
        }
    }

    /// Of the open ties that are due in a step only one of those that hang together stays due, by chance.
    pub(super) fn one_a_step(&self, due: &mut [bool], said: &[Said], stream: &mut Stream) {
        let count = self.categories.len();
        let open: Vec<usize> = (0..count).filter(|&tie| said[tie].is_open() && due[self.categories[tie]]).collect();
        if open.len() < 2 {
            return;
        }
        let keys: Vec<f32> = open.iter().map(|_| stream.uniform()).collect();
        for (at, &tie) in open.iter().enumerate() {
            let first =
                open.iter().zip(&keys).all(|(&other, key)| !self.bound[tie * count + other] || *key >= keys[at]);
            due[self.categories[tie]] = first;
        }
    }
}
