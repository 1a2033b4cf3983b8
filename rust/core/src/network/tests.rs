//! Rows are independent of their company, files are refused when damaged, and, where
//! `TABAD_NETWORK_FIXTURE` names a folder written by `tests/seam/test_network.py`, energies are torch's.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::block::Block;
use crate::error::Result;
use crate::numeric::splitmix64;

/// Numbers in -1 .. 1 from a counter.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f32 {
        self.0 += 1;
        (splitmix64(self.0) >> 40) as f32 / 8_388_608.0 - 1.0
    }

    fn vector(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }
}

fn shape() -> Shape {
    // Two numbers with their status, a category that shares column 0, one alone.
    Shape { sizes: vec![5, 5, 3, 40], status_of_number: vec![0, 1], column_of_feature: vec![0, 1, 0, 1, 0, 2] }
}

fn network(seed: u64) -> Network {
    let mut draws = Draws(seed);
    let config = Config {
        shape: shape(),
        width: 24,
        blocks: 2,
        kind: Kind::Masked,
        classes: 1,
        scored_label: 1,
        probes: 4,
        joint: 1,
        knots: 3,
        pieces: 2,
        atoms: vec![(0, 2), (1, 3)],
    };
    let mut block = || BlockWeights {
        inner: draws.vector(24 * 24, 0.2),
        inner_bias: draws.vector(24, 0.1),
        outer: draws.vector(24 * 24, 0.2),
        outer_bias: draws.vector(24, 0.1),
    };
    let blocks = vec![block(), block()];
    let weights = Weights {
        number: draws.vector(2 * 24, 1.0),
        skipped: draws.vector(2 * 24, 1.0),
        piece: draws.vector(4 * 24, 1.0),
        edge: vec![-1.0, 0.0, 1.0],
        level: draws.vector(3 * 24, 1.0),
        hidden: draws.vector(3 * 24, 1.0),
        code: draws.vector(58 * 24, 1.0),
        label: draws.vector(2 * 24, 1.0),
        blocks,
        head: draws.vector(24 * 60, 0.3),
        head_bias: draws.vector(60, 0.3),
        probes: vec![0.3, 0.3, 0.3, -1.0, 0.02, 0.02, 0.02, -1.0, 0.02, 0.02, -1.0, -1.0],
        hidden_variance: vec![0.5, 0.1],
        knot: vec![-1.0, 0.0, 2.0, 0.0, 0.0, 0.0],
        low: vec![-1.5, -0.5, 1.5, 0.0, 0.0, 0.0],
        high: vec![-1.5, 0.5, 1.5, 0.0, 0.0, 0.0],
        middle: vec![-1.5, 0.125, 1.5, 0.0, 0.0, 0.0],
        drawn: vec![-2.0, 0.0, 2.0, -1.0, -1.0, 1.0],
        wanted: vec![-1.0, 0.5, 1.5, 0.0, 0.0, 0.0],
        atom: vec![-1.0, -1.0, 0.0, 2.0],
    };
    Network::assemble(config, weights)
}

fn block(rows: usize) -> Block {
    let mut draws = Draws(99);
    let mut block = Block::new(rows, 2, 4);
    block.x.iter_mut().for_each(|x| *x = draws.next() * 3.0);
    for row in 0..rows {
        for (category, size) in [5_usize, 5, 3, 40].into_iter().enumerate() {
            let pick = ((draws.next() + 1.0) / 2.0 * size as f32) as usize;
            let code = if category < 2 && row % 4 != 0 { 0 } else { pick.min(size - 1) };
            block.c[row * 4 + category] = u16::try_from(code).unwrap();
        }
    }
    block
}

#[test]
fn a_row_has_the_same_bits_alone_shifted_and_in_company() {
    let (network, block) = (network(1), block(200));
    let all = network.energies(&block);
    for row in [0, 63, 64, 131, 199] {
        let alone = network.energies(&block.take(&[row]));
        assert_eq!(alone.conditional, all.conditional[row * 6..(row + 1) * 6]);
        assert_eq!(alone.joint, all.joint[row * 6..(row + 1) * 6]);
    }
    let order: Vec<usize> = (0..200).rev().collect();
    let reversed = network.energies(&block.take(&order));
    for row in 0..200 {
        assert_eq!(reversed.joint[(199 - row) * 6..(200 - row) * 6], all.joint[row * 6..(row + 1) * 6]);
    }
}

#[test]
fn joint_energies_alone_have_the_same_bits() {
    let (network, block) = (network(1), block(200));
    let alone = network.joint_energies(&block);
    assert_eq!(alone.joint, network.energies(&block).joint);
    assert!(alone.conditional.is_empty());
}

#[test]
fn without_its_atoms_a_network_scores_to_the_same_bits() -> Result<()> {
    let (with, block) = (network(1), block(70));
    let without = with.without_atoms();
    assert_eq!(without.energies(&block), with.energies(&block));
    assert_eq!(without.expected(&[0.5, -0.5], &[0, 0, 1, 7]), with.expected(&[0.5, -0.5], &[0, 0, 1, 7]));
    assert_eq!(((with.atoms(0), with.atoms(1)), (without.atoms(0), without.atoms(1))), ((1, 2), (0, 0)));
    let (config, weights) = without.to_bytes()?;
    assert_eq!(Network::read(&config, &weights, &shape())?, without);
    Ok(())
}

#[test]
fn no_rows_have_no_energies() {
    assert_eq!(network(1).energies(&block(0)), Energies::default());
}

#[test]
fn an_absent_number_has_energy_zero_whatever_it_holds() {
    let network = network(1);
    let mut block = block(2);
    block.c[0] = 1;
    let before = network.energies(&block);
    block.x[0] = 17.0;
    assert_eq!(network.energies(&block), before);
    assert_eq!((before.joint[0], before.conditional[0]), (0.0, 0.0));
}

#[test]
fn what_is_hidden_does_not_reach_its_own_expectation() {
    let network = network(1);
    let before = network.expected(&[0.5, -0.5], &[0, 0, 1, 7]);
    // Probe 1 hides column 0 alone: number 0, status 0 and category 2 may not see each other there.
    let after = network.expected(&[9.0, -0.5], &[0, 0, 2, 7]);
    assert_eq!(before[0], after[0]);
    assert_eq!(before[2], after[2]);
    assert_eq!(before[4], after[4]);
    assert_ne!(before[1], after[1]);
}

#[test]
fn expected_categories_sum_to_one_and_ranges_hold_the_mean() {
    let mut numbers = 0;
    for expected in network(2).expected(&[0.1, 0.2], &[0, 0, 1, 3]) {
        match expected {
            crate::memory::Expected::Category(shares) => {
                assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            crate::memory::Expected::Number { middle: mean, low, high } => {
                assert!(low <= mean && mean <= high && low < high);
                // The second number's scale is the number itself: symmetric.
                assert!(numbers == 0 || ((high - mean) - (mean - low)).abs() < 1e-5);
                numbers += 1;
            }
        }
    }
    assert_eq!(numbers, 2);
}

#[test]
fn a_scale_places_values_and_gives_them_back() {
    let network = network(1);
    let scale = network.weights.scale(0, 3);
    let places: Vec<f32> = [-3.0, -1.0, -0.5, 0.0, 1.0, 2.0, 2.5].into_iter().map(|x| scale.place(x)).collect();
    // Below and beyond a step is a step; zero takes the middle of its interval; others lie in proportion.
    assert_eq!(places, [-3.5, -1.5, -1.0, 0.125, 1.0, 1.5, 2.0]);
    let values: Vec<f32> =
        [-3.5, -1.5, -1.0, -0.5, 0.3, 0.5, 1.0, 1.5, 2.0].into_iter().map(|z| scale.value(z)).collect();
    assert_eq!(values, [-3.0, -1.0, -0.5, 0.0, 0.0, 0.0, 1.0, 2.0, 2.5]);
}

#[test]
fn a_number_is_told_in_pieces_and_zero_says_nothing() {
    let network = network(1);
    let mut inputs = [9.0; 8];
    network.pieces.encode([(-0.25, 0.5), (3.0, 1.0)].into_iter(), &mut inputs);
    // The numbers, the numbers times c_in, then how far each reaches into -1 .. 0 and into 0 .. 1.
    assert_eq!(inputs, [-0.25, 3.0, -0.125, 3.0, -0.25, 0.0, 0.0, 1.0]);
    network.pieces.encode([(0.0, 1.0), (-0.0, 0.0)].into_iter(), &mut inputs);
    assert_eq!(inputs, [0.0; 8]);
}

#[test]
fn extreme_rows_and_codes_out_of_range_give_finite_energies() {
    let mut block = Block::new(3, 2, 4);
    block.x = vec![f32::INFINITY, -1e30, f32::NAN, 1e38, 30.0, -30.0];
    block.c = vec![0, 0, 65_535, 65_535, 0, 0, 0, 0, 0, 0, 2, 39];
    let found = network(3).energies(&block);
    assert!(found.joint.iter().chain(&found.conditional).all(|energy| energy.is_finite()));
}

#[test]
fn huge_weights_give_finite_energies() {
    let mut weights = network(1).weights;
    weights.head.iter_mut().for_each(|weight| *weight = 1e6);
    weights.blocks[0].outer.iter_mut().for_each(|weight| *weight *= 1e6);
    weights.blocks[1].outer.iter_mut().for_each(|weight| *weight *= 1e6);
    weights.hidden_variance = vec![1e-30, 1e-30];
    let found = Network::assemble(network(1).config, weights).energies(&block(70));
    assert!(found.joint.iter().chain(&found.conditional).all(|energy| energy.is_finite()));
}

#[test]
fn bytes_and_store_round_trip() -> Result<()> {
    let network = network(5);
    let (config, weights) = network.to_bytes()?;
    let read = Network::read(&config, &weights, &shape())?;
    assert_eq!(read, network);
    assert_eq!(read.to_bytes()?, (config, weights));
    let mut store = crate::store::Store::default();
    let value = network.write(&mut store);
    assert_eq!(Network::from_store(&value, &store, &shape())?, network);
    Ok(())
}

#[test]
fn columns_are_compared_by_who_shares_one() -> Result<()> {
    let (config, weights) = network(5).to_bytes()?;
    let mut same = shape();
    same.column_of_feature = vec![3, 4, 3, 4, 3, 9];
    assert!(Network::read(&config, &weights, &same).is_ok());
    same.column_of_feature = vec![3, 4, 3, 4, 9, 9];
    assert!(Network::read(&config, &weights, &same).is_err());
    Ok(())
}

#[test]
fn damaged_configs_are_refused() -> Result<()> {
    let (config, weights) = network(5).to_bytes()?;
    for (from, to) in [
        ("\"width\":24", "\"width\":23"),
        ("\"width\":24", "\"width\":0"),
        ("\"width\":24", "\"width\":18446744073709551615"),
        ("\"blocks\":2", "\"blocks\":3"),
        ("\"blocks\":2", "\"blocks\":-1"),
        ("\"probes\":4", "\"probes\":17"),
        ("\"probes\":4", "\"probes\":0"),
        ("\"joint\":1", "\"joint\":4"),
        ("\"joint\":1", "\"joint\":2"),
        ("\"format\":4", "\"format\":3"),
        ("\"pieces\":2", "\"pieces\":3"),
        ("\"pieces\":2", "\"pieces\":0"),
        ("\"scored_label\":1", "\"scored_label\":2"),
        ("\"classes\":1", "\"classes\":4294967296"),
        ("\"status\":[0,1]", "\"status\":[0,9]"),
        ("\"sizes\":[5,5,3,40]", "\"sizes\":[5,5,0,43]"),
        ("\"sizes\":[5,5,3,40]", "\"sizes\":[5,5,3,99999]"),
        ("\"columns\":[0,1,0,1,0,2]", "\"columns\":[0,1,0,1,0,7]"),
        ("\"columns\":[0,1,0,1,0,2]", "\"columns\":[]"),
        ("\"categories\":\"masked\"", "\"categories\":\"other\""),
        ("\"atoms\":[0,1]", "\"atoms\":[0,2]"),
        ("\"atoms\":[0,1]", "\"atoms\":[1,0]"),
        ("\"atoms\":[0,1]", "\"atoms\":[0]"),
        ("\"atom_sizes\":[2,3]", "\"atom_sizes\":[2,1]"),
        ("\"atom_sizes\":[2,3]", "\"atom_sizes\":[3,3]"),
        ("\"atom_sizes\":[2,3]", "\"atom_sizes\":[2,3,2]"),
    ] {
        let damaged = config.replace(from, to);
        assert_ne!(damaged, config, "{from}");
        assert!(Network::read_alone(&damaged, &weights).is_err(), "{to}");
    }
    assert!(Network::read_alone("[", &weights).is_err());
    assert!(Network::read_alone("null", &weights).is_err());
    Ok(())
}

#[test]
fn damaged_weights_are_refused() -> Result<()> {
    let (config, weights) = network(5).to_bytes()?;
    for cut in [0, 7, 8, 100, weights.len() - 1] {
        assert!(Network::read_alone(&config, &weights[..cut]).is_err(), "cut at {cut}");
    }
    let damage: [fn(&mut Weights); 10] = [
        |w| w.atom[1] = 0.0,
        |w| w.atom[3] = 0.0,
        |w| w.edge[1] = -1.0,
        |w| w.drawn[5] = -2.0,
        |w| w.wanted[0] = 0.6,
        |w| w.head[0] = f32::NAN,
        |w| w.number[0] = 1e7,
        |w| w.probes[0] = -1.0,
        |w| w.probes[11] = 0.0,
        |w| w.hidden_variance[0] = 0.0,
    ];
    for change in damage {
        let mut damaged = network(5);
        change(&mut damaged.weights);
        let (config, weights) = damaged.to_bytes()?;
        assert!(Network::read_alone(&config, &weights).is_err());
    }
    Ok(())
}

/// Beside the seam test, for an unbuilt Python module: the same comparison from files.
#[test]
fn energies_agree_with_torch() {
    let Ok(folder) = std::env::var("TABAD_NETWORK_FIXTURE") else { return };
    let bytes = |name: &str| std::fs::read(std::path::Path::new(&folder).join(name)).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        bytes(name).as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
    };
    let config = String::from_utf8(bytes("config.json")).unwrap();
    let weights = bytes("weights.safetensors");
    let network = Network::read_alone(&config, &weights).unwrap();
    assert_eq!(network.to_bytes().unwrap(), (config, weights));
    let c: Vec<u16> = bytes("c.bin").as_chunks::<2>().0.iter().map(|chunk| u16::from_le_bytes(*chunk)).collect();
    let (numbers, categories) = (network.shape().numbers(), network.shape().categories());
    let block = Block { rows: c.len() / categories, numbers, categories, x: floats("x.bin"), c };
    let found = network.energies(&block);
    for (name, own) in [("joint.bin", &found.joint), ("conditional.bin", &found.conditional)] {
        let torch = floats(name);
        assert_eq!(torch.len(), own.len());
        for (a, b) in own.iter().zip(&torch) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {a} against {b}");
        }
    }
    let started = std::time::Instant::now();
    for _ in 0..20 {
        std::hint::black_box(network.energies(&block));
    }
    let rows = 20.0 * block.rows as f64 / started.elapsed().as_secs_f64();
    println!("{rows:.0} rows/s on one thread");
}
