//! tabad-core: column codecs, denoisers, energies, calibration and the model file. No Python in it.

pub mod block;
pub mod calibration;
pub mod codec;
pub mod combine;
pub mod decode;
pub mod denoisers;
pub mod encoder;
pub mod error;
pub mod file;
pub mod fit;
mod groups;
pub mod guide;
pub mod mechanism;
pub mod memory;
pub mod model;
pub mod nearest;
pub mod network;
mod numeric;
mod pareto;
pub mod reasons;
pub mod release;
mod sample;
pub mod score;
pub mod scorer;
pub mod store;
pub mod student;
mod tails;
