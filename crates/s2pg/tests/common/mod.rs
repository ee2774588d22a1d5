//! Recorded numbers of the official implementation.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use s2pg::nn::{Parameters, Real};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// One recorded case: sizes, tensors, tolerances, and the worst fraction of a tolerance that was used.
pub struct Case {
    name: String,
    json: Value,
    tolerances: Value,
    tensors: HashMap<String, Vec<f64>>,
    shapes: HashMap<String, Vec<usize>>,
    worst: (f64, String),
    checked: BTreeSet<String>,
}

impl Case {
    pub fn open(name: &str) -> Self {
        let folder = std::env::var_os("S2PG_GOLDEN").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")));
        let read = |file: &str| {
            let path = folder.join(name).join(file);
            std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let json = |file: &str| serde_json::from_slice(&read(file)).unwrap();
        let bytes = read("tensors.safetensors");
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let shapes = tensors.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec())).collect();
        let tensors = tensors.iter().map(|(name, view)| (name.to_string(), numbers(view.dtype(), view.data())));
        Self {
            name: name.into(),
            json: json("case.json"),
            tolerances: json("tolerances.json"),
            tensors: tensors.collect(),
            shapes,
            worst: (0.0, String::new()),
            checked: BTreeSet::new(),
        }
    }

    pub fn size(&self, key: &str) -> usize {
        self.json[key].as_u64().unwrap_or_else(|| panic!("{} has no size {key}", self.name)) as usize
    }

    pub fn number(&self, key: &str) -> f64 {
        self.json[key].as_f64().unwrap_or_else(|| panic!("{} has no number {key}", self.name))
    }

    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_else(|| panic!("{} has no text {key}", self.name))
    }

    pub fn flag(&self, key: &str) -> bool {
        self.json[key].as_bool().unwrap_or_else(|| panic!("{} has no flag {key}", self.name))
    }

    pub fn list(&self, key: &str) -> Vec<f32> {
        let list = self.json[key].as_array().unwrap_or_else(|| panic!("{} has no list {key}", self.name));
        list.iter().map(|x| x.as_f64().unwrap() as f32).collect()
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.shapes[name]
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub fn get(&self, name: &str) -> &[f64] {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.get(name).iter().map(|&x| x as f32).collect()
    }

    pub fn bools(&self, name: &str) -> Vec<bool> {
        self.get(name).iter().map(|&x| x != 0.0).collect()
    }

    pub fn indices(&self, name: &str) -> Vec<usize> {
        self.get(name).iter().map(|&x| x as usize).collect()
    }

    /// The names of what is recorded as `mode.<name>.<tensor>`.
    pub fn modes(&self) -> Vec<String> {
        let names = self.tensors.keys().filter_map(|name| name.strip_prefix("mode.")?.split('.').next());
        names.map(String::from).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn atol(&self, name: &str) -> f64 {
        self.tolerances[name]["atol"].as_f64().unwrap_or_else(|| panic!("no tolerance of {name}"))
    }

    /// Compares elements within the recorded tolerance, plus an allowance for each.
    fn compare<T: Real>(&mut self, name: &str, ours: &[T], allowance: impl Fn(usize) -> f64) {
        let golden = &self.tensors[name];
        assert_eq!(ours.len(), golden.len(), "{}/{name}: another size", self.name);
        let atol = self.atol(name);
        for (i, (a, b)) in ours.iter().zip(golden).enumerate() {
            let (error, limit) = ((a.f64() - b).abs(), atol + allowance(i));
            assert!(error <= limit, "{}/{name}[{i}]: {a} is not {b} within {limit:e}", self.name);
            if error > 0.0 && error / limit > self.worst.0 {
                self.worst = (error / limit, name.to_string());
            }
        }
        self.checked.insert(name.into());
    }

    /// Fails if a recorded result was not compared: each but those that have one of these in their names.
    pub fn assert_complete(&self, but: &[&str]) {
        let results = self.tolerances.as_object().unwrap().iter().filter(|(_, x)| x["role"] == "out");
        let left = results.filter(|(name, _)| !self.checked.contains(*name));
        let left: Vec<&String> =
            left.map(|(name, _)| name).filter(|name| !but.iter().any(|b| name.contains(b))).collect();
        assert!(left.is_empty(), "{}: not compared are {left:?}", self.name);
    }

    pub fn check<T: Real>(&mut self, name: &str, ours: &[T]) {
        self.compare(name, ours, |_| 0.0);
    }

    /// Parameters after Adam: an element whose gradient is of rounding size may move by up to two step sizes.
    pub fn check_after_adam<T: Real>(&mut self, name: &str, ours: &[T], lr: f64, gradients: &[String]) {
        let slack: Vec<f64> = (0..ours.len())
            .map(|i| {
                let one = |g: &String| (10.0 * self.atol(g) / self.get(g)[i].abs()).min(2.0);
                lr * gradients.iter().map(one).sum::<f64>()
            })
            .collect();
        self.compare(name, ours, |i| slack[i]);
    }

    /// Loads network parameters; `names` pairs ours with the recorded ones behind `prefix`.
    pub fn load(&self, parameters: &mut Parameters<f32>, prefix: &str, names: &[(&str, &str)]) {
        assert_eq!(names.len(), parameters.slots().len(), "every parameter has a recorded one");
        for (ours, theirs) in names {
            let slot = parameters.slot(ours).clone();
            let golden = self.f32(&format!("{prefix}{theirs}"));
            assert_eq!(golden.len(), slot.rows * slot.cols, "{ours} and {theirs}");
            parameters.data_mut()[slot.range()].copy_from_slice(&golden);
        }
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let (worst, tensor) = &self.worst;
        println!(
            "{}: {} tensors, at most {:.0} % of a tolerance ({tensor})",
            self.name,
            self.checked.len(),
            100.0 * worst
        );
    }
}

fn numbers(dtype: Dtype, data: &[u8]) -> Vec<f64> {
    fn each<const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks::<N>().0.iter().map(|&b| f(b)).collect()
    }
    match dtype {
        Dtype::F32 => each(data, |b| f32::from_le_bytes(b) as f64),
        Dtype::F64 => each(data, f64::from_le_bytes),
        Dtype::I64 => each(data, |b| i64::from_le_bytes(b) as f64),
        Dtype::U8 | Dtype::BOOL => data.iter().map(|&b| b as f64).collect(),
        other => panic!("no reader for {other:?}"),
    }
}
