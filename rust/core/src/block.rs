//! An encoded batch: what the denoisers see of a table.
//!
//! Axes: B rows, N numeric dims, C category columns. `x_BN` and `c_BC` are row-major.
//! A number that is absent (null, NaN, infinite) is 0.0 in `x_BN` and told apart by its status
//! category in `c_BC`.

use std::ops::Range;

/// Codes of a status category: why a number is or is not there.
pub const PRESENT: u16 = 0;
pub const NULL: u16 = 1;
pub const NAN: u16 = 2;
pub const POS_INF: u16 = 3;
pub const NEG_INF: u16 = 4;
pub const STATUS_CODES: u16 = 5;

/// Codes of every other category: null, then a value not in the vocabulary, then the vocabulary.
pub const MISSING: u16 = 0;
pub const OTHER: u16 = 1;
pub const FIRST_VALUE: u16 = 2;

/// What a feature says about its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The number, category or boolean itself.
    Value,
    /// Present, null, NaN, +inf or -inf.
    Status,
    /// A datetime on its axis.
    Position,
    Hour,
    Weekday,
    Month,
    /// A text's length in characters.
    Length,
    /// Shares of characters in a text.
    Digits,
    Symbols,
    /// A text's shape such as `AA-999`.
    Shape,
    /// How often the value occurs.
    Frequency,
}

impl Part {
    /// The word that manifests and reasons use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Status => "status",
            Self::Position => "position",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Month => "month",
            Self::Length => "length",
            Self::Digits => "digits",
            Self::Symbols => "symbols",
            Self::Shape => "shape",
            Self::Frequency => "frequency",
        }
    }
}

/// Where a feature stands in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Dim of `x_BN`; `status` is the category column of `c_BC` that says whether it is there
    /// (its code is [`PRESENT`] then).
    Number { dim: usize, status: usize },
    /// Column of `c_BC` with codes `0..size`.
    Category { index: usize, size: u16 },
}

/// One modelled dimension of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Index into the model's codecs.
    pub column: usize,
    pub part: Part,
    pub slot: Slot,
    /// Factor on this feature's distance in the memory's kernel: 1 for a column of one part.
    pub weight: f32,
    /// Context: a row is judged given this, and never for it.
    pub given: bool,
}

/// A block of `rows` encoded rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    pub rows: usize,
    /// N.
    pub numbers: usize,
    /// C.
    pub categories: usize,
    pub x: Vec<f32>,
    pub c: Vec<u16>,
}

/// Rows of a block that are being written.
#[derive(Debug)]
pub struct BlockMut<'b> {
    pub numbers: usize,
    pub categories: usize,
    pub x: &'b mut [f32],
    pub c: &'b mut [u16],
}

impl BlockMut<'_> {
    /// Some of the rows.
    pub fn part(&mut self, rows: Range<usize>) -> BlockMut<'_> {
        BlockMut {
            numbers: self.numbers,
            categories: self.categories,
            x: &mut self.x[rows.start * self.numbers..rows.end * self.numbers],
            c: &mut self.c[rows.start * self.categories..rows.end * self.categories],
        }
    }
}

impl Block {
    pub fn new(rows: usize, numbers: usize, categories: usize) -> Self {
        let (mut x, mut c) = (vec![0.0; rows * numbers], vec![0; rows * categories]);
        in_huge_pages(&mut x);
        in_huge_pages(&mut c);
        Self { rows, numbers, categories, x, c }
    }

    /// All rows, to be written.
    pub fn view(&mut self) -> BlockMut<'_> {
        BlockMut { numbers: self.numbers, categories: self.categories, x: &mut self.x, c: &mut self.c }
    }

    pub fn x_row(&self, row: usize) -> &[f32] {
        &self.x[row * self.numbers..(row + 1) * self.numbers]
    }

    pub fn c_row(&self, row: usize) -> &[u16] {
        &self.c[row * self.categories..(row + 1) * self.categories]
    }

    /// The given rows, in the given order.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        let mut taken = Self::new(0, self.numbers, self.categories);
        taken.rows = rows.len();
        for &row in rows {
            taken.x.extend_from_slice(self.x_row(row));
            taken.c.extend_from_slice(self.c_row(row));
        }
        taken
    }

    /// The rows of all these blocks, which are of one shape.
    #[must_use]
    pub fn stacked(blocks: &[Self]) -> Self {
        let mut all = blocks.first().map_or_else(Self::default, |first| first.take(&[]));
        for block in blocks {
            all.rows += block.rows;
            all.x.extend_from_slice(&block.x);
            all.c.extend_from_slice(&block.c);
        }
        all
    }
}

/// Asks for pages of 2 MiB where memory is large and not yet touched: a quarter of the time of encoding a million rows
/// went into handing out pages of 4 KiB.
#[cfg(target_os = "linux")]
fn in_huge_pages<T>(memory: &mut [T]) {
    const HUGE: usize = 2 << 20;
    let start = memory.as_mut_ptr() as usize;
    let (first, last) = (start.next_multiple_of(HUGE), (start + size_of_val(memory)) / HUGE * HUGE);
    if last > first {
        // SAFETY: the pages lie within `memory`, and the advice changes nothing of what they hold; where the kernel does
        // not take it, it says so and nothing happens.
        unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn in_huge_pages<T>(_memory: &mut [T]) {}
