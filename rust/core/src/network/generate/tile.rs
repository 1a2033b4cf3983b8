//! One tile of rows through all steps.

use super::order::Order;
use super::{BELOW_ONE, Generator, MASK, Move, Request, Room, SIGMA_MIN, Scales, Tile};
use crate::block::PRESENT;
use crate::network::CLIP;
use crate::network::half::rounded;
use crate::network::kernels::{add_product, broadcast, normalise, odds, products, silu};

/// Rows of the request that a tile holds: the first, and how many.
type Window = (usize, usize);

impl Tile {
    pub(super) fn run(
        mut self,
        own: &Generator,
        request: &Request,
        (first, rows): Window,
        levels: &[f64],
        order: &Order,
    ) -> (Vec<f32>, Vec<u16>) {
        let given = Held { request, own, first, columns: own.network.config.shape.columns() };
        self.start(&given, rows, levels[0], order);
        let mut before = None;
        for (step, pair) in levels.windows(2).enumerate() {
            let (now, next) = (pair[0], pair[1]);
            let scales = (Scales::at(now), Scales::at(SIGMA_MIN));
            self.predict(&given, rows, scales);
            let by = (next > 0.0).then(|| Move::of(before, now, next, request.noise));
            for row in 0..rows {
                self.advance(&given, row, by, scales);
            }
            for row in 0..rows {
                self.reveal(&given, row, step, next > 0.0);
            }
            before = Some(now);
        }
        self.finish(&given, rows);
        (self.x, self.seen)
    }

    /// Pure noise, nothing seen but what is given or can be nothing else.
    fn start(&mut self, given: &Held, rows: usize, level: f64, order: &Order) {
        let own = given.own;
        let (numbers, categories) = (given.numbers(), own.sizes.len());
        let always: Vec<usize> =
            (0..categories).filter(|&category| own.is_always_there(category, given.request.forbidden)).collect();
        for row in 0..rows {
            let x = &mut self.x[row * numbers..(row + 1) * numbers];
            self.streams[row].normals(x);
            x.iter_mut().for_each(|number| *number *= level as f32);
            let seen = &mut self.seen[row * categories..(row + 1) * categories];
            always.iter().for_each(|&category| seen[category] = PRESENT);
            order.draw(&mut self.streams[row], &mut self.when[row * categories..(row + 1) * categories]);
            given.hold_x(row, x);
            given.hold_c(row, seen);
            let told = &mut self.told[row * own.width()..(row + 1) * own.width()];
            for (category, &code) in seen.iter().enumerate().filter(|(_, code)| **code != MASK) {
                own.tell(category, code, told);
            }
            if !self.held.is_empty() {
                given.tell_levels(row, &mut self.held[row * own.width()..(row + 1) * own.width()]);
            }
        }
    }

    /// The network's state for all rows, mixed by the guidance, and the raw numbers it says.
    fn predict(&mut self, given: &Held, rows: usize, (open, clean): (Scales, Scales)) {
        let (own, request) = (given.own, given.request);
        let (network, width, numbers) = (&own.network, own.width(), given.numbers());
        let fed = network.pieces.inputs(numbers);
        for row in 0..rows {
            let seen = &self.seen[row * own.sizes.len()..];
            let statuses = network.config.shape.status_of_number.iter().enumerate();
            let cells = statuses.zip(&self.x[row * numbers..(row + 1) * numbers]).map(|((number, &status), x)| {
                let scale = if given.has_number(row, number) { clean.scale } else { open.scale };
                (if seen[status] == PRESENT { scale * x.clamp(-CLIP, CLIP) } else { 0.0 }, scale)
            });
            self.room.cells.clear();
            self.room.cells.extend(cells);
            network.pieces.encode(self.room.cells.iter().copied(), &mut self.inputs[row * fed..(row + 1) * fed]);
        }
        let untold = network.config.classes;
        let weight = if request.label.is_none() { 0.0 } else { request.guidance };
        let label = request.label.unwrap_or(untold);
        if weight == 1.0 || weight == 0.0 {
            self.trunk(own, rows, if weight == 0.0 { untold } else { label }, (open, clean));
        } else {
            self.trunk(own, rows, label, (open, clean));
            let told = self.h.clone();
            self.trunk(own, rows, untold, (open, clean));
            // All that the last layer says is affine in the state, and so is a mixture of it.
            self.h.iter_mut().zip(told).for_each(|(h, told)| *h += weight * (told - *h));
        }
        let head = &own.numbers;
        if let Some(half) = &own.half {
            let pairs = &mut self.pairs[..self.h.len() / width * width.div_ceil(2)];
            rounded(&self.h, width, pairs);
            half.numbers.put(pairs, &head.bias, &mut self.raw);
        } else {
            broadcast(&head.bias, &mut self.raw);
            add_product(&self.h, &head.weights, &mut self.raw, width, numbers);
        }
    }

    fn trunk(&mut self, own: &Generator, rows: usize, label: usize, (open, clean): (Scales, Scales)) {
        let (network, width) = (&own.network, own.width());
        let label = &network.weights.label[label * width..(label + 1) * width];
        let base: Vec<f32> = label.iter().zip(&own.levels).map(|(label, level)| label + open.noise * level).collect();
        let change = clean.noise - open.noise;
        for row in 0..rows {
            let place = row * width..(row + 1) * width;
            let sums = self.h[place.clone()].iter_mut().zip(&base).zip(&self.told[place.clone()]);
            sums.for_each(|((h, base), told)| *h = base + told);
            if !self.held.is_empty() {
                let levels = self.h[place.clone()].iter_mut().zip(&self.held[place]);
                levels.for_each(|(h, level)| *h += change * level);
            }
        }
        self.h[rows * width..].fill(0.0);
        let fed = network.pieces.inputs(network.config.shape.numbers());
        let Some(half) = &own.half else {
            add_product(&self.inputs, &network.pieces.weights, &mut self.h, fed, width);
            network.blocks(&mut self.h, &mut self.normed, &mut self.inner);
            return;
        };
        let padded = self.h.len() / width;
        let (told, pairs) = (padded * fed.div_ceil(2), padded * width.div_ceil(2));
        rounded(&self.inputs, fed, &mut self.pairs[..told]);
        half.input.add_to(&self.pairs[..told], &mut self.h);
        for (block, (inner, outer)) in network.weights.blocks.iter().zip(&half.blocks) {
            normalise(&mut self.h, &block.outer_bias, &mut self.normed);
            rounded(&self.normed, width, &mut self.pairs[..pairs]);
            inner.put(&self.pairs[..pairs], &block.inner_bias, &mut self.inner);
            silu(&mut self.inner);
            rounded(&self.inner, width, &mut self.pairs[..pairs]);
            outer.add_to(&self.pairs[..pairs], &mut self.h);
        }
    }

    /// One step of the numbers of a row; without a move the last one, to what is expected.
    fn advance(&mut self, given: &Held, row: usize, by: Option<Move>, (open, clean): (Scales, Scales)) {
        let (own, numbers) = (given.own, given.numbers());
        let place = row * numbers..(row + 1) * numbers;
        let seen = &self.seen[row * own.sizes.len()..(row + 1) * own.sizes.len()];
        let x = &mut self.x[place.clone()];
        let mean = &mut self.mean[place.clone()];
        let raw = &self.raw[place.clone()];
        let status = &own.network.config.shape.status_of_number;
        let is_named = &mut self.room.named;
        is_named.fill(false);
        for number in 0..numbers {
            let scales = if given.has_number(row, number) { clean } else { open };
            let clipped = x[number].clamp(-CLIP, CLIP);
            let is_seen = seen[status[number]] == PRESENT;
            mean[number] = if is_seen { scales.skip * clipped + scales.out * raw[number] } else { raw[number] };
        }
        for (number, value) in own.named(seen) {
            mean[number] = value;
            is_named[number] = true;
        }
        if let Some(by) = by {
            let noise = &mut self.room.noise;
            self.streams[row].normals(noise);
            let before = &mut self.before[place.clone()];
            let was_seen = &mut self.was_seen[place.clone()];
            let was_named = &mut self.was_named[place];
            for number in 0..numbers {
                let is_seen = seen[status[number]] == PRESENT;
                x[number] = if is_seen {
                    // What has just been named is expected elsewhere: from there to here is no slope.
                    let slope = was_seen[number] && was_named[number] == is_named[number];
                    let turn = if slope { by.slope * (mean[number] - before[number]) } else { 0.0 };
                    by.keep * x[number] + by.weight * mean[number] + turn + by.fresh * noise[number]
                } else {
                    by.unbegun * noise[number]
                };
                (was_seen[number], was_named[number]) = (is_seen, is_named[number]);
            }
            before.copy_from_slice(mean);
        } else {
            x.copy_from_slice(mean);
        }
        given.hold_x(row, x);
    }

    /// The cells of a row that are due are drawn, each apart from the others.
    fn reveal(&mut self, given: &Held, row: usize, step: usize, more: bool) {
        let (own, request) = (given.own, given.request);
        let (width, categories) = (own.width(), own.sizes.len());
        let place = row * categories..(row + 1) * categories;
        let seen = &mut self.seen[place.clone()];
        let is_due = |(&code, &when): (&u16, &u16)| code == MASK && usize::from(when) <= step;
        if !seen.iter().zip(&self.when[place.clone()]).any(is_due) {
            return;
        }
        let Room { due, said, logits, .. } = &mut self.room;
        due.clear();
        due.extend(seen.iter().zip(&self.when[place]).map(is_due));
        request.ties.said(seen, said);
        if more {
            request.ties.one_a_step(due, said, &mut self.streams[row]);
        }
        let state = &self.h[row * width..(row + 1) * width];
        let told = &mut self.told[row * width..(row + 1) * width];
        for category in (0..categories).filter(|&category| due[category]) {
            own.logits(category, state, logits);
            let forbidden = &request.forbidden[own.offsets[category]..];
            for (logit, _) in logits.iter_mut().zip(forbidden).filter(|(_, forbidden)| **forbidden) {
                *logit = f32::NEG_INFINITY;
            }
            let ties = request.ties.categories().iter().zip(&*said).enumerate();
            for (tie, (_, said)) in ties.filter(|(_, (of, _))| **of == category) {
                let null = usize::from(request.ties.null(tie));
                for (_, logit) in logits.iter_mut().enumerate().filter(|(code, _)| !said.allows(*code == null)) {
                    *logit = f32::NEG_INFINITY;
                }
            }
            let code = pick(logits, self.streams[row].uniform());
            seen[category] = code;
            own.tell(category, code, told);
        }
    }

    fn finish(&mut self, given: &Held, rows: usize) {
        let (own, numbers) = (given.own, given.numbers());
        for row in 0..rows {
            let x = &mut self.x[row * numbers..(row + 1) * numbers];
            let seen = &self.seen[row * own.sizes.len()..(row + 1) * own.sizes.len()];
            own.named(seen).for_each(|(number, value)| x[number] = value);
            given.hold_x(row, x);
            for (number, &status) in x.iter_mut().zip(&own.network.config.shape.status_of_number) {
                if seen[status] != PRESENT {
                    *number = 0.0;
                }
            }
        }
    }
}

/// One code by the inverse of the distribution function; 0 where none is allowed.
fn pick(logits: &mut [f32], uniform: f32) -> u16 {
    odds(logits);
    let total: f32 = logits.iter().sum();
    let target = uniform * BELOW_ONE * total;
    let mut reached = 0.0;
    let mut last = 0;
    for (code, &share) in logits.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        reached += share;
        last = code;
        if reached > target {
            break;
        }
    }
    last as u16
}

impl Generator {
    fn width(&self) -> usize {
        self.network.config.width
    }

    /// A code seen, through the first layer.
    fn tell(&self, category: usize, code: u16, told: &mut [f32]) {
        let first = (self.offsets[category] + usize::from(code)) * self.width();
        let row = &self.network.weights.code[first..first + self.width()];
        told.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }

    fn logits(&self, category: usize, state: &[f32], logits: &mut Vec<f32>) {
        let (first, size, width) = (self.offsets[category], self.sizes[category], self.width());
        logits.resize(size, 0.0);
        let bias = &self.network.weights.head_bias[self.network.config.shape.numbers() + first..][..size];
        products(state, &self.codes[first * width..(first + size) * width], bias, logits);
    }
}

/// What is given of the rows of a tile.
struct Held<'a> {
    request: &'a Request<'a>,
    own: &'a Generator,
    first: usize,
    /// P.
    columns: usize,
}

impl Held<'_> {
    fn numbers(&self) -> usize {
        self.own.network.config.shape.numbers()
    }

    fn columns(&self, row: usize) -> Option<&[bool]> {
        let given = self.request.given?;
        Some(&given.given[(self.first + row) * self.columns..][..self.columns])
    }

    fn has_number(&self, row: usize, number: usize) -> bool {
        self.columns(row).is_some_and(|given| given[self.own.network.config.shape.column_of_feature[number]])
    }

    fn hold_x(&self, row: usize, x: &mut [f32]) {
        let (Some(given), Some(stands)) = (self.request.given, self.columns(row)) else { return };
        let known = &given.x[(self.first + row) * x.len()..];
        let columns = &self.own.network.config.shape.column_of_feature;
        for ((number, known), &column) in x.iter_mut().zip(known).zip(columns) {
            if stands[column] {
                *number = *known;
            }
        }
    }

    fn hold_c(&self, row: usize, seen: &mut [u16]) {
        let (Some(given), Some(stands)) = (self.request.given, self.columns(row)) else { return };
        let known = &given.c[(self.first + row) * seen.len()..];
        for ((code, known), &column) in seen.iter_mut().zip(known).zip(&self.own.columns) {
            if stands[column] {
                *code = *known;
            }
        }
    }

    /// Levels of the given columns through the first layer, each at e^4.
    fn tell_levels(&self, row: usize, held: &mut [f32]) {
        let Some(stands) = self.columns(row) else { return };
        for (level, _) in self.own.network.weights.level.chunks_exact(held.len()).zip(stands).filter(|(_, s)| **s) {
            held.iter_mut().zip(level).for_each(|(sum, x)| *sum += x);
        }
    }
}
