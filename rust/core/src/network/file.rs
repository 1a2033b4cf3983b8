//! Reading and writing a network: every shape is checked against the config, every weight is finite
//! and bounded, before anything is computed from it.

use serde_json::Value;

use super::config::{Config, Shape};
use super::{BlockWeights, Network, Weights};
use crate::error::{Error, Result};
use crate::file::{read_store, write_store};
use crate::store::Store;

/// Where a model file keeps the tensors; a file of the network alone has no prefix.
const PREFIX: &str = "network.";
const MOST_LEVEL: f32 = 1e4;
const LEAST_LEVEL: f32 = 1e-4;
const HIDDEN: f32 = -1.0;

impl Network {
    /// A network from its config (JSON) and its weights (a safetensors file), as Python exports them.
    pub fn read(config: &str, weights: &[u8], shape: &Shape) -> Result<Self> {
        let (config, store) = parse(config, weights)?;
        Self::from_parts(&config, &store, "", Some(shape))
    }

    /// The same, for whatever rows the config says.
    pub fn read_alone(config: &str, weights: &[u8]) -> Result<Self> {
        let (config, store) = parse(config, weights)?;
        Self::from_parts(&config, &store, "", None)
    }

    /// A network out of a model file.
    pub fn from_store(config: &Value, store: &Store, shape: &Shape) -> Result<Self> {
        Self::from_parts(config, store, PREFIX, Some(shape))
    }

    /// Put the weights into a model file; return the config that belongs to them.
    pub fn write(&self, store: &mut Store) -> Value {
        self.put(store, PREFIX);
        self.config.write()
    }

    /// The config as JSON.
    pub fn config(&self) -> Value {
        self.config.write()
    }

    /// `(config, weights)` as [`Network::read`] takes them; byte for byte what Python exported.
    pub fn to_bytes(&self) -> Result<(String, Vec<u8>)> {
        let mut store = Store::default();
        self.put(&mut store, "");
        Ok((self.config.write().to_string(), write_store(&store, None)?))
    }

    fn from_parts(config: &Value, store: &Store, prefix: &str, shape: Option<&Shape>) -> Result<Self> {
        let config = Config::read(config)?;
        if shape.is_some_and(|shape| shape.renumbered() != config.shape) {
            return Err(Error::model_file("the network was trained on other columns than the model has"));
        }
        let weights = Weights::get(&config, store, prefix)?;
        let columns = config.shape.columns();
        let (joint, conditional) = weights.probes.split_at(config.joint * columns);
        let is_level = |level: &f32| (LEAST_LEVEL..=MOST_LEVEL).contains(level);
        let all_known = weights.probes.iter().all(|level| is_level(level) || *level == HIDDEN);
        let each_hidden = (0..columns).all(|at| conditional.iter().skip(at).step_by(columns).any(|&l| l == HIDDEN));
        if !all_known || !joint.iter().all(is_level) || !each_hidden {
            return Err(Error::model_file("the network's probes are damaged"));
        }
        Ok(Self::assemble(config, weights))
    }

    fn put(&self, store: &mut Store, prefix: &str) {
        for (name, shape, data) in self.weights.named(&self.config) {
            store.put_f32(format!("{prefix}{name}"), &shape, data.clone());
        }
    }
}

impl Weights {
    fn get(config: &Config, store: &Store, prefix: &str) -> Result<Self> {
        let (shape, width) = (&config.shape, config.width);
        let get = |name: &str, expected: &[usize]| store.get_weights(&format!("{prefix}{name}"), expected);
        let (codes, outputs) = (config.codes(), shape.numbers() + config.codes());
        let block = |at: usize| -> Result<BlockWeights> {
            Ok(BlockWeights {
                inner: get(&format!("inner.{at}"), &[width, width])?,
                inner_bias: get(&format!("inner_bias.{at}"), &[width])?,
                outer: get(&format!("outer.{at}"), &[width, width])?,
                outer_bias: get(&format!("outer_bias.{at}"), &[width])?,
            })
        };
        let weights = Self {
            number: get("number", &[shape.numbers(), width])?,
            skipped: get("skipped", &[shape.numbers(), width])?,
            piece: get("piece", &[shape.numbers() * config.pieces, width])?,
            edge: get("edge", &[config.pieces + 1])?,
            level: get("level", &[shape.columns(), width])?,
            hidden: get("hidden", &[shape.columns(), width])?,
            code: get("code", &[codes, width])?,
            label: get("label", &[config.classes + 1, width])?,
            blocks: (0..config.blocks).map(block).collect::<Result<_>>()?,
            head: get("head", &[width, outputs])?,
            head_bias: get("head_bias", &[outputs])?,
            probes: get("probes", &[config.probes, shape.columns()])?,
            hidden_variance: get("hidden_variance", &[shape.numbers()])?,
            knot: get("knot", &[shape.numbers(), config.knots])?,
            low: get("low", &[shape.numbers(), config.knots])?,
            high: get("high", &[shape.numbers(), config.knots])?,
            middle: get("middle", &[shape.numbers(), config.knots])?,
            drawn: get("drawn", &[shape.numbers(), config.knots])?,
            wanted: get("wanted", &[shape.numbers(), config.knots])?,
            atom: get("atom", &[config.atoms.len(), config.most_atoms()])?,
        };
        if !(0..shape.numbers()).all(|number| weights.scale(number, config.knots).is_ordered()) {
            return Err(Error::model_file("the network's scale of numbers is not in order"));
        }
        if [&weights.drawn, &weights.wanted]
            .iter()
            .any(|all| all.chunks_exact(config.knots).any(|own| !own.is_sorted()))
        {
            return Err(Error::model_file("the network's quantiles of drawn numbers are not in order"));
        }
        let atoms_of = weights.atom.chunks_exact(config.most_atoms().max(1)).zip(&config.atoms);
        for (own, &(_, size)) in atoms_of {
            let (atoms, rest) = own.split_at(usize::from(size) - 1);
            if !atoms.is_sorted_by(|one, next| one < next) || rest.iter().any(|value| Some(value) != atoms.last()) {
                return Err(Error::model_file("the network's atoms are not in order"));
            }
        }
        if weights.edge.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::model_file("the edges of the network's pieces are not in order"));
        }
        if weights.hidden_variance.iter().any(|&variance| variance <= 0.0) {
            return Err(Error::model_file("the network's `hidden_variance` must be positive"));
        }
        Ok(weights)
    }

    /// Every tensor with its name and shape.
    fn named(&self, config: &Config) -> Vec<(String, Vec<usize>, &Vec<f32>)> {
        let (shape, width) = (&config.shape, config.width);
        let (columns, codes) = (shape.columns(), config.codes());
        let outputs = shape.numbers() + codes;
        let mut named = vec![
            ("number".to_owned(), vec![shape.numbers(), width], &self.number),
            ("skipped".to_owned(), vec![shape.numbers(), width], &self.skipped),
            ("piece".to_owned(), vec![shape.numbers() * config.pieces, width], &self.piece),
            ("edge".to_owned(), vec![config.pieces + 1], &self.edge),
            ("level".to_owned(), vec![columns, width], &self.level),
            ("hidden".to_owned(), vec![columns, width], &self.hidden),
            ("code".to_owned(), vec![codes, width], &self.code),
            ("label".to_owned(), vec![config.classes + 1, width], &self.label),
            ("head".to_owned(), vec![width, outputs], &self.head),
            ("head_bias".to_owned(), vec![outputs], &self.head_bias),
            ("probes".to_owned(), vec![config.probes, columns], &self.probes),
            ("hidden_variance".to_owned(), vec![shape.numbers()], &self.hidden_variance),
            ("knot".to_owned(), vec![shape.numbers(), config.knots], &self.knot),
            ("low".to_owned(), vec![shape.numbers(), config.knots], &self.low),
            ("high".to_owned(), vec![shape.numbers(), config.knots], &self.high),
            ("middle".to_owned(), vec![shape.numbers(), config.knots], &self.middle),
            ("drawn".to_owned(), vec![shape.numbers(), config.knots], &self.drawn),
            ("wanted".to_owned(), vec![shape.numbers(), config.knots], &self.wanted),
            ("atom".to_owned(), vec![config.atoms.len(), config.most_atoms()], &self.atom),
        ];
        for (at, block) in self.blocks.iter().enumerate() {
            named.push((format!("inner.{at}"), vec![width, width], &block.inner));
            named.push((format!("inner_bias.{at}"), vec![width], &block.inner_bias));
            named.push((format!("outer.{at}"), vec![width, width], &block.outer));
            named.push((format!("outer_bias.{at}"), vec![width], &block.outer_bias));
        }
        named
    }
}

fn parse(config: &str, weights: &[u8]) -> Result<(Value, Store)> {
    let config = serde_json::from_str(config)
        .map_err(|error| Error::model_file(format!("the network's config is not JSON: {error}")))?;
    Ok((config, read_store(weights)?))
}
