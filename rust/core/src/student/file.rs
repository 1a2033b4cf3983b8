//! Reading and writing a student: every shape is checked against the config, every weight is finite and bounded, before
//! anything is computed from it.

use serde_json::{Value, json};

use super::{Student, Weights};
use crate::error::{Error, Result};
use crate::file::read_store;
use crate::network::Shape;
use crate::numeric::LANES;
use crate::store::Store;

const FORMAT: u64 = 1;
/// Where a model file keeps the tensors; a file of the student alone has no prefix.
const PREFIX: &str = "student.";
const MOST_WIDTH: usize = 1024;
const MOST_LAYERS: usize = 8;
const MOST_KNOTS: usize = 1024;

impl Student {
    /// A student from its config (JSON) and its weights (a safetensors file), as Python exports them.
    pub fn read(config: &str, weights: &[u8], shape: &Shape) -> Result<Self> {
        let config = serde_json::from_str(config)
            .map_err(|error| Error::model_file(format!("the student's config is not JSON: {error}")))?;
        Self::from_parts(&config, &read_store(weights)?, "", shape)
    }

    /// A student out of a model file.
    pub fn from_store(config: &Value, store: &Store, shape: &Shape) -> Result<Self> {
        Self::from_parts(config, store, PREFIX, shape)
    }

    /// Put the weights into a model file; return the config that belongs to them.
    pub fn write(&self, store: &mut Store) -> Value {
        let (width, shape) = (self.width, &self.shape);
        let (numbers, features) = (shape.numbers(), shape.numbers() + shape.categories());
        let w = &self.weights;
        let mut put = |name: &str, shape: &[usize], data: &Vec<f32>| {
            store.put_f32(format!("{PREFIX}{name}"), shape, data.clone());
        };
        put("knot", &[numbers, self.knots], &w.knot);
        put("curve", &[numbers, self.knots, width], &w.curve);
        put("code", &[shape.codes(), width], &w.code);
        put("bias", &[width], &w.bias);
        for (at, (weights, bias)) in w.hidden.iter().enumerate() {
            put(&format!("hidden.{at}"), &[width, width], weights);
            put(&format!("hidden_bias.{at}"), &[width], bias);
        }
        put("score", &[width], &w.score);
        put("score_bias", &[1], &w.score_bias);
        put("tails", &[width, features], &w.tails);
        put("tails_bias", &[features], &w.tails_bias);
        put("beyond", &[numbers], &w.beyond);
        self.config()
    }

    /// The config as JSON.
    pub fn config(&self) -> Value {
        json!({"format": FORMAT, "width": self.width, "layers": self.weights.hidden.len(), "knots": self.knots})
    }

    fn from_parts(config: &Value, store: &Store, prefix: &str, shape: &Shape) -> Result<Self> {
        let damaged = |what: &str| Error::model_file(format!("the student's `{what}` is damaged"));
        if config["format"].as_u64() != Some(FORMAT) {
            return Err(damaged("format"));
        }
        let size = |key: &str, least: usize, most: usize| {
            let found = config[key].as_u64().and_then(|n| usize::try_from(n).ok());
            found.filter(|found| (least..=most).contains(found)).ok_or_else(|| damaged(key))
        };
        let (width, layers) = (size("width", 1, MOST_WIDTH)?, size("layers", 0, MOST_LAYERS)?);
        let knots = size("knots", 2, MOST_KNOTS)?;
        if width % LANES != 0 {
            return Err(damaged("width"));
        }
        let get = |name: &str, expected: &[usize]| store.get_weights(&format!("{prefix}{name}"), expected);
        let (numbers, features) = (shape.numbers(), shape.numbers() + shape.categories());
        let layer = |at: usize| -> Result<(Vec<f32>, Vec<f32>)> {
            Ok((get(&format!("hidden.{at}"), &[width, width])?, get(&format!("hidden_bias.{at}"), &[width])?))
        };
        let weights = Weights {
            knot: get("knot", &[numbers, knots])?,
            curve: get("curve", &[numbers, knots, width])?,
            code: get("code", &[shape.codes(), width])?,
            bias: get("bias", &[width])?,
            hidden: (0..layers).map(layer).collect::<Result<_>>()?,
            score: get("score", &[width])?,
            score_bias: get("score_bias", &[1])?,
            tails: get("tails", &[width, features])?,
            tails_bias: get("tails_bias", &[features])?,
            beyond: get("beyond", &[numbers])?,
        };
        if weights.knot.chunks_exact(knots).any(|own| own.windows(2).any(|pair| pair[0] >= pair[1])) {
            return Err(damaged("knot"));
        }
        if weights.beyond.iter().any(|&slope| slope <= 0.0) {
            return Err(damaged("beyond"));
        }
        Ok(Self::assemble(shape.clone(), width, knots, weights))
    }
}
