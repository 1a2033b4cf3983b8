//! Exact nearest records: for every row of one block the K rows of another that are most like it.
//!
//! The distance is squared Euclidean in the block: `sum_numbers weight (x - y)^2 + sum_categories weight [c != d]`, which is
//! that of numbers beside one-hot codes over sqrt 2. An absent number is 0 and differs by its status besides. Differences are
//! squared, never expanded into products: a copy is at exactly 0. Every pair is looked at, tile by tile of reference rows for
//! [`TOGETHER`] rows at once; a tile whose mismatches alone are too many is left there. Not an index: the audit of a
//! table asks once.
//!
//! Legend: B rows, M reference rows, K neighbours.

use rayon::prelude::*;

use crate::block::{Block, Feature, Slot};
use crate::numeric::LANES;

mod kernel;

/// Rows that share the loads of a tile: their sums fill half of the registers of AVX2.
const TOGETHER: usize = 4;
/// Rows that share a stretch of tiles while it is in the cache, and the tiles of a stretch.
const GROUP: usize = 64;
const STRETCH: usize = 32;
/// Categories of a class: their mismatches are counted in 16 bits.
const MOST: usize = 30_000;

/// The K nearest reference rows of every row, nearest first; the earlier row wins a tie.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nearest {
    /// [B, K]; infinite where there are fewer than K reference rows.
    pub distances: Vec<f32>,
    /// [B, K]; `u32::MAX` where there are fewer than K reference rows.
    pub rows: Vec<u32>,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    pub features: &'a [Feature],
    /// The table columns that count; None for all of them.
    pub columns: Option<&'a [usize]>,
    /// K.
    pub count: usize,
    /// The two blocks are one, and a row is not its own neighbour.
    pub exclude_self: bool,
}

/// Categories of one weight, next to each other in a tile.
#[derive(Debug, Clone)]
struct Class {
    weight: f32,
    /// Columns of the block.
    columns: Vec<usize>,
}

/// The features that count, in the order of a tile.
struct Layout {
    /// Column of the block and the root of its weight.
    numbers: Vec<(usize, f32)>,
    classes: Vec<Class>,
    categories: usize,
}

impl Layout {
    fn new(search: &Search<'_>, rows: &Block, reference: &Block) -> Self {
        let mut layout = Self { numbers: Vec::new(), classes: Vec::new(), categories: 0 };
        let wanted = |feature: &&Feature| search.columns.is_none_or(|columns| columns.contains(&feature.column));
        for feature in search.features.iter().filter(wanted) {
            let weight = feature.weight;
            match feature.slot {
                Slot::Number { dim, .. } => layout.numbers.push((dim, weight.sqrt())),
                Slot::Category { index, .. } if varies(rows, reference, index) => {
                    layout.categories += 1;
                    let same =
                        |class: &&mut Class| class.weight.to_bits() == weight.to_bits() && class.columns.len() < MOST;
                    match layout.classes.iter_mut().find(same) {
                        Some(class) => class.columns.push(index),
                        None => layout.classes.push(Class { weight, columns: vec![index] }),
                    }
                }
                Slot::Category { .. } => {}
            }
        }
        layout
    }

    fn codes<'a>(&'a self, c_c: &'a [u16]) -> impl Iterator<Item = u16> + 'a {
        self.classes.iter().flat_map(move |class| class.columns.iter().map(move |&at| c_c[at]))
    }
}

/// A category that is the same everywhere tells no row from another: most statuses are.
fn varies(rows: &Block, reference: &Block, index: usize) -> bool {
    let mut codes =
        [rows, reference].into_iter().flat_map(|block| block.c.iter().skip(index).step_by(block.categories));
    let first = codes.next();
    codes.any(|code| Some(code) != first)
}

/// Reference rows, [`LANES`] at a time, all of a tile together.
struct Tiles {
    /// Per tile, each number.
    x: Vec<[f32; LANES]>,
    /// Per tile, each category.
    c: Vec<[u16; LANES]>,
    rows: usize,
}

impl Tiles {
    fn new(block: &Block, layout: &Layout) -> Self {
        let tiles = block.rows.div_ceil(LANES);
        let mut x = vec![[0.0; LANES]; tiles * layout.numbers.len()];
        let mut c = vec![[0; LANES]; tiles * layout.categories];
        for row in 0..block.rows {
            let (tile, lane) = (row / LANES, row % LANES);
            for (place, &(dim, root)) in layout.numbers.iter().enumerate() {
                x[tile * layout.numbers.len() + place][lane] = block.x_row(row)[dim] * root;
            }
            for (place, code) in layout.codes(block.c_row(row)).enumerate() {
                c[tile * layout.categories + place][lane] = code;
            }
        }
        Self { x, c, rows: block.rows }
    }

    fn x(&self, layout: &Layout, tile: usize) -> &[[f32; LANES]] {
        let numbers = layout.numbers.len();
        &self.x[tile * numbers..(tile + 1) * numbers]
    }

    fn c(&self, layout: &Layout, tile: usize) -> &[[u16; LANES]] {
        &self.c[tile * layout.categories..(tile + 1) * layout.categories]
    }
}

/// [`TOGETHER`] rows and what each has found.
struct Quad<'a> {
    /// Per number, the rows' values.
    x: Vec<[f32; TOGETHER]>,
    c: Vec<[u16; TOGETHER]>,
    /// The first of the rows; those from `count` on repeat the last one.
    first: usize,
    count: usize,
    distances: &'a mut [f32],
    rows: &'a mut [u32],
}

impl<'a> Quad<'a> {
    fn new(block: &Block, layout: &Layout, first: usize, distances: &'a mut [f32], rows: &'a mut [u32]) -> Self {
        let count = TOGETHER.min(block.rows - first);
        let row = |q: usize| first + q.min(count - 1);
        let x = layout.numbers.iter().map(|&(dim, root)| std::array::from_fn(|q| block.x_row(row(q))[dim] * root));
        let columns = layout.classes.iter().flat_map(|class| &class.columns);
        let c = columns.map(|&at| std::array::from_fn(|q| block.c_row(row(q))[at]));
        Self { x: x.collect(), c: c.collect(), first, count, distances, rows }
    }
}

/// The nearest reference rows of every row.
pub fn nearest(rows: &Block, reference: &Block, search: &Search<'_>) -> Nearest {
    let (size, count) = (rows.rows * search.count, search.count);
    let mut found = Nearest { distances: vec![f32::INFINITY; size], rows: vec![u32::MAX; size] };
    if size == 0 {
        return found;
    }
    let layout = Layout::new(search, rows, reference);
    let tiles = Tiles::new(reference, &layout);
    let parts = found.distances.par_chunks_mut(GROUP * count).zip(found.rows.par_chunks_mut(GROUP * count));
    parts.enumerate().for_each(|(group, (distances, names))| {
        let quads = distances.chunks_mut(TOGETHER * count).zip(names.chunks_mut(TOGETHER * count)).enumerate();
        let mut quads: Vec<Quad<'_>> = quads
            .map(|(at, (distances, names))| Quad::new(rows, &layout, group * GROUP + at * TOGETHER, distances, names))
            .collect();
        let every = reference.rows.div_ceil(LANES);
        for start in (0..every).step_by(STRETCH) {
            for quad in &mut quads {
                scan(quad, &tiles, &layout, start..(start + STRETCH).min(every), count, search.exclude_self);
            }
        }
    });
    found
}

/// A few rows against a stretch of tiles.
fn scan(
    quad: &mut Quad<'_>,
    tiles: &Tiles,
    layout: &Layout,
    range: std::ops::Range<usize>,
    count: usize,
    exclude_self: bool,
) {
    // The rows that only fill up the four find nothing.
    let mut worst = [f32::NEG_INFINITY; TOGETHER];
    for q in 0..quad.count {
        worst[q] = quad.distances[(q + 1) * count - 1];
    }
    let mut sums = [[0.0_f32; LANES]; TOGETHER];
    let mut start = range.start;
    while let Some(tile) = kernel::next(layout, tiles, quad, start..range.end, &worst, &mut sums) {
        start = tile + 1;
        for q in 0..quad.count {
            let own = if exclude_self { quad.first + q } else { usize::MAX };
            let best = q * count..(q + 1) * count;
            let (distances, names) = (&mut quad.distances[best.clone()], &mut quad.rows[best]);
            for (lane, &distance) in sums[q].iter().enumerate() {
                let row = tile * LANES + lane;
                if distance < worst[q] && row < tiles.rows && row != own {
                    insert(distance, row, distances, names);
                    worst[q] = distances[count - 1];
                }
            }
        }
    }
}

/// Keeps the nearest in order.
#[inline(never)]
fn insert(distance: f32, row: usize, distances: &mut [f32], names: &mut [u32]) {
    let place = distances.partition_point(|&known| known <= distance);
    if place < distances.len() {
        distances[place..].rotate_right(1);
        names[place..].rotate_right(1);
        distances[place] = distance;
        names[place] = u32::try_from(row).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Part;

    fn number(dim: usize, column: usize) -> Feature {
        Feature { column, part: Part::Value, slot: Slot::Number { dim, status: 0 }, weight: 1.0, given: false }
    }

    fn category(index: usize, column: usize, weight: f32) -> Feature {
        Feature { column, part: Part::Value, slot: Slot::Category { index, size: 9 }, weight, given: false }
    }

    fn block(rows: &[(f32, u16)]) -> Block {
        let mut block = Block::new(rows.len(), 1, 1);
        block.x = rows.iter().map(|row| row.0).collect();
        block.c = rows.iter().map(|row| row.1).collect();
        block
    }

    fn search(features: &[Feature], count: usize) -> Search<'_> {
        Search { features, columns: None, count, exclude_self: false }
    }

    #[test]
    fn distances_add_up_and_the_earlier_row_wins_a_tie() {
        let features = [number(0, 0), category(0, 1, 0.5)];
        let reference = block(&[(3.0, 2), (1.0, 2), (1.0, 2), (0.0, 3)]);
        let found = nearest(&block(&[(1.0, 2)]), &reference, &search(&features, 4));
        assert_eq!(found.rows, [1, 2, 3, 0]);
        assert_eq!(found.distances, [0.0, 0.0, 1.5, 4.0]);
    }

    #[test]
    fn a_row_is_not_its_own_neighbour_where_that_is_asked() {
        let features = [number(0, 0)];
        let own = block(&[(0.0, 0), (0.0, 0), (5.0, 0)]);
        let found = nearest(&own, &own, &Search { exclude_self: true, ..search(&features, 1) });
        assert_eq!((found.rows, found.distances), (vec![1, 0, 0], vec![0.0, 0.0, 25.0]));
    }

    #[test]
    fn only_the_columns_asked_for_count() {
        let features = [number(0, 0), category(0, 1, 1.0)];
        let reference = block(&[(9.0, 1), (0.0, 2)]);
        let found = nearest(&block(&[(0.0, 1)]), &reference, &Search { columns: Some(&[1]), ..search(&features, 1) });
        assert_eq!((found.rows, found.distances), (vec![0], vec![0.0]));
    }

    #[test]
    fn too_few_reference_rows_leave_places_empty() {
        let features = [number(0, 0)];
        let found = nearest(&block(&[(0.0, 0)]), &block(&[(1.0, 0)]), &search(&features, 2));
        assert_eq!((found.rows, found.distances), (vec![0, u32::MAX], vec![1.0, f32::INFINITY]));
        let none = nearest(&block(&[(0.0, 0)]), &block(&[]), &search(&features, 1));
        assert_eq!(none.rows, [u32::MAX]);
    }
}
