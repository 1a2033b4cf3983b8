//! The model file: safetensors whose metadata holds one canonical JSON manifest. No pickle, no code.
//!
//! The same model gives the same bytes: tensors in name order, JSON keys sorted, no timestamps. A
//! reader bounds the header, and every length is checked before it is trusted.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::store::{Store, Tensor};

const MANIFEST: &str = "tabad";
const CHECKSUM: &str = "checksum";

pub fn to_bytes(model: &Model) -> Result<Vec<u8>> {
    let (manifest, store) = model.write();
    let mut sealed = manifest.clone();
    sealed[CHECKSUM] = Value::String(checksum(&manifest, &store));
    let metadata = HashMap::from([(MANIFEST.to_owned(), sealed.to_string())]);
    write_store(&store, Some(metadata))
}

/// xxh3_128 over the manifest and every tensor with its name, type and shape, as 32 hex digits: finds
/// damage, proves nothing about who wrote the file.
fn checksum(manifest: &Value, store: &Store) -> String {
    let mut hash = Xxh3Default::new();
    hash.update(manifest.to_string().as_bytes());
    for (name, tensor) in &store.tensors {
        let (dtype, shape, bytes) = flatten(tensor);
        hash.update(format!("\0{name}\0{dtype:?}\0{shape:?}\0").as_bytes());
        hash.update(&bytes);
    }
    format!("{:032x}", hash.digest128())
}

/// Tensors as a safetensors file, in name order.
pub fn write_store(store: &Store, metadata: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
    let raw: Vec<(&String, Dtype, Vec<usize>, Vec<u8>)> = store
        .tensors
        .iter()
        .map(|(name, tensor)| {
            let (dtype, shape, bytes) = flatten(tensor);
            (name, dtype, shape, bytes)
        })
        .collect();
    let mut views = Vec::with_capacity(raw.len());
    for (name, dtype, shape, bytes) in &raw {
        let view = TensorView::new(*dtype, shape.clone(), bytes)
            .map_err(|error| Error::model_file(format!("tensor `{name}` cannot be written: {error}")))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, metadata)
        .map_err(|error| Error::model_file(format!("the model cannot be written: {error}")))
}

pub fn from_bytes(data: &[u8]) -> Result<Model> {
    let not_one =
        |error: String| Error::model_file(format!("this is not a tabad model file, or it is damaged: {error}"));
    let (_, header) = SafeTensors::read_metadata(data).map_err(|error| not_one(error.to_string()))?;
    let manifest = header.metadata().as_ref().and_then(|metadata| metadata.get(MANIFEST));
    let manifest = manifest.ok_or_else(|| not_one("it holds no tabad manifest".into()))?;
    let store = read_store(data)?;
    let mut manifest: Value = serde_json::from_str(manifest).map_err(|error| not_one(error.to_string()))?;
    let stated = manifest.as_object_mut().and_then(|object| object.remove(CHECKSUM));
    if stated != Some(Value::String(checksum(&manifest, &store))) {
        return Err(Error::model_file("the checksum does not match: some bytes of the file have changed"));
    }
    let model = Model::read(&manifest, &store)?;
    // What is not read back is not ours: a file with extra tensors is refused.
    let (_, own) = model.write();
    if own.tensors.len() != store.tensors.len() {
        return Err(Error::model_file("the file holds tensors that its manifest does not name"));
    }
    Ok(model)
}

pub fn read_store(data: &[u8]) -> Result<Store> {
    let parsed = SafeTensors::deserialize(data)
        .map_err(|error| Error::model_file(format!("this is not a tabad model file, or it is damaged: {error}")))?;
    let mut store = Store::default();
    for (name, view) in parsed.tensors() {
        let tensor = unflatten(&view).ok_or_else(|| Error::model_file(format!("tensor `{name}` is damaged")))?;
        store.tensors.insert(name, tensor);
    }
    Ok(store)
}

fn flatten(tensor: &Tensor) -> (Dtype, Vec<usize>, Vec<u8>) {
    macro_rules! bytes {
        ($data:expr) => {
            $data.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
    }
    match tensor {
        Tensor::U8(data) => (Dtype::U8, vec![data.len()], data.clone()),
        Tensor::U16 { shape, data } => (Dtype::U16, shape.clone(), bytes!(data)),
        Tensor::U32(data) => (Dtype::U32, vec![data.len()], bytes!(data)),
        Tensor::I64(data) => (Dtype::I64, vec![data.len()], bytes!(data)),
        Tensor::F32 { shape, data } => (Dtype::F32, shape.clone(), bytes!(data)),
        Tensor::F64(data) => (Dtype::F64, vec![data.len()], bytes!(data)),
    }
}

fn unflatten(view: &TensorView<'_>) -> Option<Tensor> {
    macro_rules! values {
        ($type:ty) => {{
            const WIDTH: usize = std::mem::size_of::<$type>();
            let (chunks, rest) = view.data().as_chunks::<WIDTH>();
            if !rest.is_empty() {
                return None;
            }
            chunks.iter().map(|bytes| <$type>::from_le_bytes(*bytes)).collect::<Vec<$type>>()
        }};
    }
    let shape = view.shape().to_vec();
    let flat = shape.len() == 1;
    match view.dtype() {
        Dtype::U8 if flat => Some(Tensor::U8(view.data().to_vec())),
        Dtype::U16 => Some(Tensor::U16 { shape, data: values!(u16) }),
        Dtype::U32 if flat => Some(Tensor::U32(values!(u32))),
        Dtype::I64 if flat => Some(Tensor::I64(values!(i64))),
        Dtype::F32 => Some(Tensor::F32 { shape, data: values!(f32) }),
        Dtype::F64 if flat => Some(Tensor::F64(values!(f64))),
        _ => None,
    }
}
