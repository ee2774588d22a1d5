//! Model files, which hold a policy's parameters by name and shape, and the statistics that standardise its
//! observations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::json;

use super::disk::{DiskError, RealDisk, write_atomically};
use crate::policy::StatefulPolicy;
use crate::state::{Data, State, Visitor};
use crate::train::{Model, Player};

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// The file is no model file, or belongs to another policy.
    #[error("{0}: {1}")]
    Wrong(PathBuf, String),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DiskError),
}

/// Writes the model file `path`: tensors `policy.<name>` (float32, weights as rows x columns = outputs x inputs) and,
/// where observations are standardised, `observation.n`, `observation.mean` and `observation.sum` (float64). The
/// standard deviation is sqrt(sum / n), and a standardised observation is clipped to ±10. `metadata` is stored in the
/// file's header.
pub fn save_model(path: &Path, model: Model<'_>, metadata: &BTreeMap<String, String>) -> Result<(), ModelError> {
    let parameters: &_ = model.parameters;
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for slot in parameters.slots() {
        let bytes = parameters.data()[slot.range()].iter().flat_map(|x| x.to_le_bytes()).collect();
        let shape = if slot.rows == 1 { vec![slot.cols] } else { vec![slot.rows, slot.cols] };
        tensors.push((format!("policy.{}", slot.name), Dtype::F32, shape, bytes));
    }
    if let Some(standardiser) = model.standardiser {
        let mut collect = Collect(&mut tensors);
        standardiser.visit(&mut collect);
    }
    // Wider numbers come first, so that all numbers are aligned. The header is written here, because the same model has
    // to give the same bytes, and the metadata of the crate safetensors is in no order.
    tensors.sort_by_key(|t| std::cmp::Reverse(t.1.bitsize()));
    let mut header = BTreeMap::from([("__metadata__".to_string(), json!(metadata))]);
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        header.insert(name, json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let mut header = json!(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    Ok(write_atomically(&RealDisk, path, &bytes)?)
}

struct Collect<'a>(&'a mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Visitor for Collect<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let Data::F64(x) = data else { unreachable!("a standardiser holds f64 numbers") };
        let bytes = x.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.0.push((format!("observation.{name}"), Dtype::F64, vec![x.len()], bytes));
    }
    fn enter(&mut self, _: &str) {}
    fn leave(&mut self) {}
}

/// Reads the model file `path`, which [`save_model`] wrote, into a policy of the same shape. After an error the policy
/// is what it was.
pub fn load_model(path: &Path, model: Model<'_>) -> Result<(), ModelError> {
    let bytes = std::fs::read(path).map_err(|e| ModelError::Read(path.into(), e))?;
    let wrong = |what: String| ModelError::Wrong(path.into(), what);
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(format!("the file is no model file ({e})")))?;
    let numbers = |name: &str, dtype: Dtype, count: usize| {
        let tensor = file.tensor(name).map_err(|_| wrong(format!("it has no tensor `{name}`")))?;
        let found = (tensor.dtype(), tensor.shape().iter().product::<usize>());
        if found != (dtype, count) {
            let what = format!("`{name}` holds {} {:?}, the policy needs {count} {dtype:?}", found.1, found.0);
            return Err(wrong(what + "; the file belongs to another experiment"));
        }
        Ok(tensor.data().to_vec())
    };
    let mut parameters = model.parameters.data().to_vec();
    for slot in model.parameters.slots() {
        let bytes = numbers(&format!("policy.{}", slot.name), Dtype::F32, slot.rows * slot.cols)?;
        for (x, b) in parameters[slot.range()].iter_mut().zip(bytes.as_chunks().0) {
            *x = f32::from_le_bytes(*b);
        }
    }
    if let Some(standardiser) = model.standardiser {
        let n = standardiser.mean().len();
        let mut read = BTreeMap::new();
        for (name, count) in [("n", 1), ("mean", n), ("sum", n)] {
            let bytes = numbers(&format!("observation.{name}"), Dtype::F64, count)?;
            read.insert(name, bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect::<Vec<_>>());
        }
        standardiser.visit(&mut Fill(read));
    }
    model.parameters.data_mut().copy_from_slice(&parameters);
    Ok(())
}

impl<P: StatefulPolicy> Player<P> {
    /// Loads parameters and statistics from the model file `path` of a policy of the same shape. After an error the
    /// player is unchanged.
    pub fn load(&mut self, path: &Path) -> Result<(), ModelError> {
        load_model(path, self.model())
    }
}

struct Fill(BTreeMap<&'static str, Vec<f64>>);

impl Visitor for Fill {
    fn item(&mut self, name: &str, data: Data<'_>) {
        if let (Data::F64(x), Some(read)) = (data, self.0.get(name)) {
            x.copy_from_slice(read);
        }
    }
    fn enter(&mut self, _: &str) {}
    fn leave(&mut self) {}
}
