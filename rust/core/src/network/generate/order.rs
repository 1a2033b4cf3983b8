//! When each masked cell is revealed: `python/tabad/diffusion/order.py`, row by row.

use super::stream::Stream;

/// A status is revealed as if the level were so much lower.
const SOONER: f64 = 4.0;
/// Whether a number is there is settled while the number is still mere noise.
const STATUS_SCALE: f64 = 5.0;

/// What the steps of all rows have in common.
#[derive(Debug)]
pub(super) struct Order {
    /// Per category the share of cells still masked after each step [G, T], falling.
    masked: Vec<Vec<f32>>,
    /// Categories that are no statuses [K]; they stand in an order of their own.
    own: Vec<usize>,
    steps: usize,
}

impl Order {
    pub fn of(levels: &[f64], is_status: &[bool]) -> Self {
        let share = |level: f64, status: bool| {
            let scaled = if status { level / SOONER / STATUS_SCALE } else { level };
            scaled * scaled / (1.0 + scaled * scaled)
        };
        let masked_of = |&status: &bool| {
            let all = share(levels[0], status);
            levels[1..].iter().map(|&level| (share(level, status) / all) as f32).collect()
        };
        Self {
            masked: is_status.iter().map(masked_of).collect(),
            own: (0..is_status.len()).filter(|&at| !is_status[at]).collect(),
            steps: levels.len() - 1,
        }
    }

    /// The step at whose end each cell of a row is revealed [G].
    pub fn draw(&self, stream: &mut Stream, when: &mut [u16]) {
        let mut uniform: Vec<f32> = when.iter().map(|_| stream.uniform()).collect();
        let keys: Vec<f32> = self.own.iter().map(|_| stream.uniform()).collect();
        let mut by_rank: Vec<usize> = (0..self.own.len()).collect();
        by_rank.sort_by(|&one, &other| keys[one].total_cmp(&keys[other]));
        for (rank, &at) in by_rank.iter().enumerate() {
            let stratum = &mut uniform[self.own[at]];
            *stratum = (*stratum + rank as f32) / self.own.len() as f32;
        }
        for ((when, uniform), masked) in when.iter_mut().zip(&uniform).zip(&self.masked) {
            *when = masked.partition_point(|&share| 1.0 - uniform < share) as u16;
        }
        // Of the own ones no more share a step than must.
        let (abreast, last) = (self.own.len().div_ceil(self.steps), self.steps - 1);
        let mut earliest = 0;
        for (rank, &at) in by_rank.iter().enumerate() {
            let when = &mut when[self.own[at]];
            let place = rank / abreast.max(1);
            earliest = earliest.max(usize::from(*when).saturating_sub(place));
            *when = (earliest + place).min(last - (self.own.len() - 1 - rank) / abreast.max(1)) as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_row_share_no_step_where_there_are_steps_enough() {
        let levels: Vec<f64> = (0..20).map(|step| 20.0 * 0.7_f64.powi(step)).chain([0.0]).collect();
        let order = Order::of(&levels, &[false; 20]);
        for row in 0..200 {
            let mut when = [0; 20];
            order.draw(&mut Stream::of(3, row), &mut when);
            when.sort_unstable();
            assert_eq!(when.to_vec(), (0..20).collect::<Vec<u16>>());
        }
    }

    #[test]
    fn all_are_revealed_by_the_last_step_and_statuses_sooner() {
        let levels = [20.0, 5.0, 1.0, 0.2, 0.04, 0.0];
        let order = Order::of(&levels, &[true, false, true, false, false, false, false, false]);
        let (mut statuses, mut own) = (0, 0);
        for row in 0..2_000 {
            let mut when = [0; 8];
            order.draw(&mut Stream::of(4, row), &mut when);
            assert!(when.iter().all(|&step| step < 5));
            statuses += when[0] + when[2];
            own += when[1] + when[3];
        }
        assert!(statuses * 2 < own, "{statuses} {own}");
    }
}
