//! Model files, which hold a policy's parameters by name and shape, the statistics that standardise its observations,
//! and a hash of all that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors};

use super::disk::{DiskError, RealDisk, replace};
use super::format::{FORMAT, Item, PREFIX, has_its_hash, hash_of, header_tail};
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
/// file's header, behind a hash of every byte of the file.
pub fn save_model(path: &Path, model: Model<'_>, metadata: &BTreeMap<String, String>) -> Result<(), ModelError> {
    // Wider numbers come first, so that all numbers are aligned.
    let (mut items, mut numbers) = (Vec::new(), Vec::new());
    if let Some(standardiser) = model.standardiser {
        standardiser.visit(&mut Collect { items: &mut items, numbers: &mut numbers });
    }
    let parameters: &_ = model.parameters;
    for slot in parameters.slots() {
        let shape = if slot.rows == 1 { vec![slot.cols] } else { vec![slot.rows, slot.cols] };
        items.push(Item { name: format!("policy.{}", slot.name), dtype: Dtype::F32, shape });
        numbers.extend(parameters.data()[slot.range()].iter().flat_map(|x| x.to_le_bytes()));
    }
    let (tail, _) = header_tail(&items, metadata);
    let mut hash = hash_of(tail.as_bytes());
    hash.update(&numbers);
    let header = format!("{PREFIX}{:016x}{tail}", hash.digest());
    Ok(replace(&RealDisk, path, None, &mut |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        file.write_all(&numbers)
    })?)
}

/// A visitor that collects the statistics of a standardiser as tensors.
struct Collect<'a> {
    items: &'a mut Vec<Item>,
    numbers: &'a mut Vec<u8>,
}

impl Visitor for Collect<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let Data::F64(x) = data else { unreachable!("a standardiser holds f64 numbers") };
        self.items.push(Item { name: format!("observation.{name}"), dtype: Dtype::F64, shape: vec![x.len()] });
        self.numbers.extend(x.iter().flat_map(|x| x.to_le_bytes()));
    }
    fn enter(&mut self, _: &str) {}
    fn leave(&mut self) {}
}

/// Reads the pairs that [`save_model`] stored in the header of the model file `path`.
pub fn model_metadata(path: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let bytes = std::fs::read(path).map_err(|e| ModelError::Read(path.into(), e))?;
    let wrong = |e| ModelError::Wrong(path.into(), format!("the file is no model file ({e})"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
    Ok(header.metadata().clone().unwrap_or_default().into_iter().collect())
}

/// Reads the model file `path`, which [`save_model`] wrote, into a policy of the same shape. After an error the policy
/// is what it was.
///
/// A file that is not what was written is refused: its hash says so. The files of earlier versions have no hash. A
/// number that is not finite is refused in either.
pub fn load_model(path: &Path, model: Model<'_>) -> Result<(), ModelError> {
    let bytes = std::fs::read(path).map_err(|e| ModelError::Read(path.into(), e))?;
    let wrong = |what: String| ModelError::Wrong(path.into(), what);
    let damaged = |what: &str| wrong(format!("damaged: {what}; take another model of the run"));
    let hash = has_its_hash(&bytes);
    if hash == Some(false) {
        return Err(damaged("its hash differs from the one that was written"));
    }
    let unreadable = |e| wrong(format!("the file is no model file, or was cut off ({e})"));
    let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
    // Where the place of the hash itself is damaged, no hash is found, but the mark beside it is.
    let format = header.metadata().as_ref().and_then(|pairs| pairs.get("format"));
    match (hash, format) {
        (None, None) => {}
        (None, Some(_)) => return Err(damaged("its hash is missing")),
        (_, found) if found.is_some_and(|f| f == FORMAT) => {}
        (_, found) => {
            let found = found.map_or("", String::as_str);
            return Err(wrong(format!("its format is {found:?} and this program reads {FORMAT:?}")));
        }
    }
    let numbers = |name: &str, dtype: Dtype, count: usize| {
        let tensor = file.tensor(name).map_err(|_| wrong(format!("it has no tensor `{name}`")))?;
        let found = (tensor.dtype(), tensor.shape().iter().product::<usize>());
        if found != (dtype, count) {
            let what = format!("`{name}` holds {} {:?}, the policy needs {count} {dtype:?}", found.1, found.0);
            return Err(wrong(what + "; the file belongs to another experiment"));
        }
        Ok(tensor.data().to_vec())
    };
    let useless = |name: &str, i: usize, x: f64| {
        wrong(format!("`{name}`[{i}] is {x}, and no policy acts on such a number; take another model of the run"))
    };
    let mut parameters = model.parameters.data().to_vec();
    for slot in model.parameters.slots() {
        let name = format!("policy.{}", slot.name);
        let bytes = numbers(&name, Dtype::F32, slot.rows * slot.cols)?;
        for (i, (x, b)) in parameters[slot.range()].iter_mut().zip(bytes.as_chunks().0).enumerate() {
            *x = f32::from_le_bytes(*b);
            if !x.is_finite() {
                return Err(useless(&name, i, f64::from(*x)));
            }
        }
    }
    if let Some(standardiser) = model.standardiser {
        let n = standardiser.mean().len();
        let mut read = BTreeMap::new();
        for (name, count) in [("n", 1), ("mean", n), ("sum", n)] {
            let full = format!("observation.{name}");
            let bytes = numbers(&full, Dtype::F64, count)?;
            let x: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
            // A mean may have any sign; a count and a sum of squares begin at 1 and grow.
            let fits = |x: f64| x.is_finite() && (name == "mean" || x > 0.0);
            if let Some(i) = x.iter().position(|&x| !fits(x)) {
                return Err(useless(&full, i, x[i]));
            }
            read.insert(name, x);
        }
        standardiser.visit(&mut Fill(read));
    }
    model.parameters.data_mut().copy_from_slice(&parameters);
    Ok(())
}

/// Refuses a file that is not a whole model file.
pub fn verify_model(path: &Path) -> Result<(), ModelError> {
    let bytes = std::fs::read(path).map_err(|e| ModelError::Read(path.into(), e))?;
    let wrong = |e| ModelError::Wrong(path.into(), format!("the file is no model file ({e})"));
    SafeTensors::deserialize(&bytes).map(|_| ()).map_err(wrong)
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
