//! The weights of a guide: ridge logistic regression with an offset, and whether it is used at all.
//!
//! Known anomalies against reference rows, both sides of equal weight, by accelerated gradient descent (Nesterov 1983).
//! The ridge is chosen, and the guide refused, by cross-validation: it has to rank held-out anomalies better among held-out
//! reference rows by more than a standard error or two (of the mean log rank share), and on the mean of the plain rank share.

use rayon::prelude::*;

use super::{Guide, Learned, Space, bounded, code_ratios, evidence, one_sided};
use crate::block::{Block, Feature};
use crate::combine::{EnergyBlock, Reference};
use crate::memory::{self, Memory, Settings};

/// Ridges, strongest first.
const RIDGES: [f64; 5] = [100.0, 30.0, 10.0, 3.0, 1.0];
const FOLDS: usize = 5;
const STEPS: usize = 200;
/// A gain has to exceed `SURE + DOUBT / n` standard errors: of ten anomalies two, of a hundred one and a half.
const SURE: f64 = 1.5;
const DOUBT: f64 = 5.0;
/// Fewer known anomalies than this teach nothing.
const FEWEST: usize = 5;
/// Reference rows used at most.
const MOST_NEGATIVES: usize = 1_500;

/// Labelled rows with their energies.
pub struct Labelled<'a> {
    pub block: &'a Block,
    pub energies: &'a EnergyBlock,
}

/// One row to learn from.
struct Example {
    /// [K], standardised.
    evidence: Vec<f64>,
    score: f64,
    anomaly: bool,
    weight: f64,
}

/// What does not change while a guide is learned.
struct Classroom<'a> {
    memory: &'a Memory,
    features: &'a [Feature],
    marginals: &'a [Vec<u64>],
    reference: &'a Reference,
}

/// Rows to learn from and rows held out, on one scale, and that scale.
struct Lesson {
    train: Vec<Example>,
    test: Vec<Example>,
    anomalies: Memory,
    codes: Vec<Vec<f32>>,
    centres: Vec<f64>,
    scales: Vec<f64>,
}

/// A guide from known anomalies, reference rows and rows known to be normal; `memory` is the one that scores (its
/// widths are used), `marginals` are the counts of each code among all rows.
pub fn learn(
    [anomalies, reference_rows, normals]: [&Labelled<'_>; 3],
    (memory, features, marginals): (&Memory, &[Feature], &[Vec<u64>]),
    reference: &Reference,
) -> Guide {
    let room = Classroom { memory, features, marginals, reference };
    let normal = (normals.block.rows > 0).then(|| room.keep(normals.block));
    if anomalies.block.rows == 0 {
        return Guide { odd: None, normal };
    }
    let all = [anomalies, reference_rows, normals];
    let ridge = if anomalies.block.rows < FEWEST {
        None
    } else {
        let lessons: Vec<Lesson> = (0..FOLDS).map(|fold| room.lesson(all, Some(fold))).collect();
        choose(&lessons)
    };
    let lesson = room.lesson(all, None);
    let weights = match ridge {
        Some(ridge) => fit(&lesson.train, ridge, one_sided(memory)),
        None => vec![0.0; lesson.centres.len()],
    };
    let weights = weights.iter().zip(&lesson.scales).map(|(weight, scale)| weight / scale).collect();
    let Lesson { anomalies, codes, centres, .. } = lesson;
    Guide { odd: Some(Learned { anomalies, codes, centres, weights }), normal }
}

impl Classroom<'_> {
    fn keep(&self, block: &Block) -> Memory {
        let rows: Vec<usize> = (0..block.rows).collect();
        let counts = memory::marginal_counts(block, self.features, &rows);
        let settings = Settings { rows: rows.len(), clean: false, own_vote: false, mixed: false };
        memory::build(block, self.features, &counts, settings, &[], Some(self.memory.levels()))
    }

    /// With one of [`FOLDS`] folds held out, or none. A known anomaly that is learned from does not count itself.
    fn lesson(&self, [anomalies, reference_rows, normals]: [&Labelled<'_>; 3], held_out: Option<usize>) -> Lesson {
        let held = |row: usize| held_out == Some(row % FOLDS);
        let of = |one: &Labelled<'_>, most: usize, held_ones: bool| -> Vec<usize> {
            (0..one.block.rows.min(most)).filter(|&row| held(row) == held_ones).collect()
        };
        let known = of(anomalies, usize::MAX, false);
        let kept = self.keep(&anomalies.block.take(&known));
        let apart = kept.with_own_vote();
        let counts = memory::marginal_counts(anomalies.block, self.features, &known);
        let codes = code_ratios(&counts, self.marginals, None);
        let judge = |one: &Labelled<'_>, rows: Vec<usize>, anomaly: bool, learned: bool| -> Vec<Example> {
            rows.into_par_iter()
                .map_init(
                    || Space::of(&kept),
                    |space, row| {
                        let own = learned.then(|| code_ratios(&counts, self.marginals, Some(one.block.c_row(row))));
                        let memory = if learned { &apart } else { &kept };
                        let codes = own.as_ref().unwrap_or(&codes);
                        let found = evidence(memory, codes, one.block, one.energies, self.reference, row, space);
                        Example {
                            evidence: found.into_iter().map(f64::from).collect(),
                            score: self.reference.score(one.energies, row),
                            anomaly,
                            weight: 1.0,
                        }
                    },
                )
                .collect()
        };
        let mut train = judge(reference_rows, of(reference_rows, MOST_NEGATIVES, false), false, false);
        let weight = known.len() as f64 / train.len().max(1) as f64;
        train.iter_mut().for_each(|example| example.weight = weight);
        let (centres, scales) = moments(&train);
        train.extend(judge(normals, of(normals, usize::MAX, false), false, false));
        train.extend(judge(anomalies, known, true, true));
        let mut test = judge(reference_rows, of(reference_rows, MOST_NEGATIVES, true), false, false);
        test.extend(judge(anomalies, of(anomalies, usize::MAX, true), true, false));
        for example in train.iter_mut().chain(&mut test) {
            for ((e, centre), scale) in example.evidence.iter_mut().zip(&centres).zip(&scales) {
                *e = (*e - centre) / scale;
            }
        }
        Lesson { train, test, anomalies: kept, codes, centres, scales }
    }
}

/// Mean and standard deviation of each evidence.
fn moments(examples: &[Example]) -> (Vec<f64>, Vec<f64>) {
    let width = examples.first().map_or(0, |example| example.evidence.len());
    let count = examples.len().max(1) as f64;
    (0..width)
        .map(|k| {
            let mean = examples.iter().map(|example| example.evidence[k]).sum::<f64>() / count;
            let square = examples.iter().map(|example| (example.evidence[k] - mean).powi(2)).sum::<f64>() / count;
            // A constant evidence may still tell an anomaly: on its own scale.
            (mean, square.sqrt().max(0.05))
        })
        .unzip()
}

/// The ridge under which held-out anomalies rank best, or None where no ridge is better than no guide.
fn choose(lessons: &[Lesson]) -> Option<f64> {
    let tasks: Vec<(f64, &Lesson)> =
        RIDGES.iter().flat_map(|&ridge| lessons.iter().map(move |one| (ridge, one))).collect();
    let raised: Vec<Vec<f64>> = tasks
        .par_iter()
        .map(|(ridge, lesson)| {
            let weights = fit(&lesson.train, *ridge, one_sided(&lesson.anomalies));
            let raise = |example: &Example| bounded(dot(&weights, &example.evidence), lesson.anomalies.rows());
            lesson.test.iter().map(|example| example.score + raise(example)).collect()
        })
        .collect();
    let tests: Vec<&Example> = lessons.iter().flat_map(|lesson| &lesson.test).collect();
    let plain: Vec<f64> = tests.iter().map(|example| example.score).collect();
    let before = rank_shares(&tests, &plain);
    let mut best: Option<(f64, f64)> = None;
    for (ridge, scores) in RIDGES.into_iter().zip(raised.chunks(lessons.len())) {
        let after = rank_shares(&tests, &scores.concat());
        let gains: Vec<f64> = before.iter().zip(&after).map(|(b, a)| b.ln() - a.ln()).collect();
        let count = gains.len() as f64;
        let mean = gains.iter().sum::<f64>() / count;
        let square = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        let plain_gain = before.iter().zip(&after).map(|(b, a)| b - a).sum::<f64>();
        let sure = SURE + DOUBT / count;
        if mean > sure * (square / count).sqrt() && plain_gain > 0.0 && best.is_none_or(|(gain, _)| mean > gain) {
            best = Some((mean, ridge));
        }
    }
    best.map(|(_, ridge)| ridge)
}

/// Of each anomaly: the share of the other rows that score at least as high, ties half.
fn rank_shares(examples: &[&Example], scores: &[f64]) -> Vec<f64> {
    let mut others: Vec<f64> = examples.iter().zip(scores).filter(|(e, _)| !e.anomaly).map(|(_, &s)| s).collect();
    others.sort_unstable_by(f64::total_cmp);
    let count = others.len();
    let odd = examples.iter().zip(scores).filter(|(example, _)| example.anomaly);
    odd.map(|(_, &score)| {
        let above = count - others.partition_point(|&other| other < score);
        let ties = above - (count - others.partition_point(|&other| other <= score));
        (1.0 + above as f64 - 0.5 * ties as f64) / (1.0 + count as f64)
    })
    .collect()
}

/// Weights [K] of least ridge-penalised logistic loss, the last `one_sided` of them >= 0; the intercept is fitted and dropped.
fn fit(examples: &[Example], ridge: f64, one_sided: usize) -> Vec<f64> {
    let width = examples.first().map_or(0, |example| example.evidence.len());
    let curvature = 0.25 * largest_eigenvalue(examples, width) + ridge;
    let step = 1.0 / curvature;
    // The last place is the intercept's, which no ridge draws.
    let mut at = vec![0.0; width + 1];
    let mut ahead = at.clone();
    for round in 0..STEPS {
        let mut slope = vec![0.0; width + 1];
        for example in examples {
            let logit = example.score + dot(&ahead, &example.evidence) + ahead[width];
            let wrong = example.weight * (1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(example.anomaly)));
            for (s, e) in slope.iter_mut().zip(&example.evidence) {
                *s += wrong * e;
            }
            slope[width] += wrong;
        }
        let momentum = round as f64 / (round as f64 + 3.0);
        for k in 0..=width {
            let pull = if k < width { ridge * ahead[k] } else { 0.0 };
            let mut next = ahead[k] - step * (slope[k] + pull);
            if (width.saturating_sub(one_sided)..width).contains(&k) {
                next = next.max(0.0);
            }
            ahead[k] = next + momentum * (next - at[k]);
            at[k] = next;
        }
    }
    at.truncate(width);
    at
}

/// Of `sum_i weight_i e_i e_i'`, the intercept's 1 among the evidences: by power iteration, and a little more.
fn largest_eigenvalue(examples: &[Example], width: usize) -> f64 {
    let mut direction = vec![1.0; width + 1];
    let mut largest = 1.0;
    for _ in 0..12 {
        let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt().max(1e-12);
        direction.iter_mut().for_each(|d| *d /= norm);
        let mut next = vec![0.0; width + 1];
        for example in examples {
            let along = example.weight * (dot(&direction, &example.evidence) + direction[width]);
            for (n, e) in next.iter_mut().zip(&example.evidence) {
                *n += along * e;
            }
            next[width] += along;
        }
        largest = next.iter().zip(&direction).map(|(n, d)| n * d).sum::<f64>();
        direction = next;
    }
    largest * 1.2
}

fn dot(weights: &[f64], evidence: &[f64]) -> f64 {
    weights.iter().zip(evidence).map(|(w, e)| w * e).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(evidence: f64, anomaly: bool) -> Example {
        Example { evidence: vec![evidence, 0.0], score: 1.0, anomaly, weight: 1.0 }
    }

    /// 20 anomalies and 200 others, told apart by their first evidence.
    fn examples() -> Vec<Example> {
        let spread = |at: usize| ((at * 37) % 101) as f64 / 50.0 - 1.0;
        let odd = (0..20).map(|at| example(spread(at) + 3.0, true));
        odd.chain((0..200).map(|at| example(spread(at + 20), false))).collect()
    }

    #[test]
    fn an_evidence_that_tells_gets_a_positive_weight_and_an_empty_one_none() {
        let found = fit(&examples(), 1.0, 0);
        assert!(found[0] > 0.5 && found[1] == 0.0, "{found:?}");
        // The ridge draws towards 0.
        let drawn = fit(&examples(), 100.0, 0);
        assert!(drawn[0] > 0.0 && drawn[0] < found[0]);
    }

    #[test]
    fn an_evidence_of_likeness_never_lowers_a_score() {
        let mut turned = examples();
        turned.iter_mut().for_each(|example| example.evidence[0] *= -1.0);
        assert!(fit(&turned, 1.0, 0)[0] < -0.5);
        assert_eq!(fit(&turned, 1.0, 2)[0], 0.0);
    }

    #[test]
    fn rank_shares_count_the_others_at_least_as_high_and_ties_half() {
        let examples = [example(0.0, true), example(0.0, false), example(0.0, false), example(0.0, false)];
        let examples: Vec<&Example> = examples.iter().collect();
        assert_eq!(rank_shares(&examples, &[2.0, 1.0, 2.0, 3.0]), vec![2.5 / 4.0]);
    }
}
