//! Named arrays of a model file: what each part of a model writes itself into and reads itself from.
//!
//! Floats live in tensors only, never in the JSON manifest, so that the same model gives the same
//! bytes. A reader checks type and length before a value is trusted (STYLE: attack your own parser).

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// No trained weight comes near.
const MOST_WEIGHT: f32 = 1e6;

/// One array with its element type and shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    U8(Vec<u8>),
    U16 { shape: Vec<usize>, data: Vec<u16> },
    U32(Vec<u32>),
    I64(Vec<i64>),
    F32 { shape: Vec<usize>, data: Vec<f32> },
    F64(Vec<f64>),
}

/// Tensors by name, in name order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Store {
    pub tensors: BTreeMap<String, Tensor>,
}

macro_rules! vector_access {
    ($put:ident, $get:ident, $variant:ident, $element:ty) => {
        pub fn $put(&mut self, name: impl Into<String>, data: Vec<$element>) {
            self.tensors.insert(name.into(), Tensor::$variant(data));
        }

        pub fn $get(&self, name: &str) -> Result<&[$element]> {
            match self.tensors.get(name) {
                Some(Tensor::$variant(data)) => Ok(data),
                Some(_) => Err(wrong_type(name)),
                None => Err(absent(name)),
            }
        }
    };
}

macro_rules! matrix_access {
    ($put:ident, $get:ident, $variant:ident, $element:ty) => {
        pub fn $put(&mut self, name: impl Into<String>, shape: &[usize], data: Vec<$element>) {
            debug_assert_eq!(shape.iter().product::<usize>(), data.len());
            self.tensors.insert(name.into(), Tensor::$variant { shape: shape.to_vec(), data });
        }

        /// The elements in row-major order, if the tensor has exactly this shape.
        pub fn $get(&self, name: &str, expected: &[usize]) -> Result<&[$element]> {
            match self.tensors.get(name) {
                Some(Tensor::$variant { shape, data }) if shape == expected => Ok(data),
                Some(Tensor::$variant { shape, .. }) => {
                    Err(Error::model_file(format!("tensor `{name}` has shape {shape:?}, {expected:?} is needed")))
                }
                Some(_) => Err(wrong_type(name)),
                None => Err(absent(name)),
            }
        }
    };
}

fn wrong_type(name: &str) -> Error {
    Error::model_file(format!("tensor `{name}` has the wrong element type"))
}

fn absent(name: &str) -> Error {
    Error::model_file(format!("tensor `{name}` is missing"))
}

impl Store {
    vector_access!(put_u8, get_u8, U8, u8);
    vector_access!(put_u32, get_u32, U32, u32);
    vector_access!(put_i64, get_i64, I64, i64);
    vector_access!(put_f64, get_f64, F64, f64);
    matrix_access!(put_u16, get_u16, U16, u16);
    matrix_access!(put_f32, get_f32, F32, f32);

    /// The weights of a network: exactly this shape, all finite and none too large.
    pub fn get_weights(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>> {
        let data = self.get_f32(name, expected)?;
        if data.iter().all(|weight| weight.abs() <= MOST_WEIGHT) {
            Ok(data.to_vec())
        } else {
            Err(Error::model_file(format!("tensor `{name}` holds a weight that is not finite or too large")))
        }
    }

    /// Exactly `count` numbers, all finite.
    pub fn get_finite(&self, name: &str, count: usize) -> Result<&[f64]> {
        let data = self.get_f64(name)?;
        if data.len() != count || data.iter().any(|value| !value.is_finite()) {
            return Err(Error::model_file(format!("tensor `{name}` must hold {count} finite numbers")));
        }
        Ok(data)
    }

    /// Strings as one byte tensor `NAME.bytes` and their ends `NAME.ends`.
    pub fn put_strings<S: AsRef<str>>(&mut self, name: &str, strings: &[S]) {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(strings.len());
        for string in strings {
            bytes.extend_from_slice(string.as_ref().as_bytes());
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        self.put_u8(format!("{name}.bytes"), bytes);
        self.put_u32(format!("{name}.ends"), ends);
    }

    pub fn get_strings(&self, name: &str) -> Result<Vec<String>> {
        let bytes = self.get_u8(&format!("{name}.bytes"))?;
        let ends = self.get_u32(&format!("{name}.ends"))?;
        let damaged = || Error::model_file(format!("the strings of `{name}` are damaged"));
        let mut start = 0_usize;
        let mut strings = Vec::with_capacity(ends.len());
        for &end in ends {
            let end = usize::try_from(end).map_err(|_| damaged())?;
            let part = bytes.get(start..end).ok_or_else(damaged)?;
            strings.push(std::str::from_utf8(part).map_err(|_| damaged())?.to_owned());
            start = end;
        }
        if start == bytes.len() { Ok(strings) } else { Err(damaged()) }
    }
}
