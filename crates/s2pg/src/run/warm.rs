//! What a run takes from other runs: a start from what another one has learned, and a teacher.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{Checkpoints, walk};
use super::error::RunError;
use super::kept::Kept;
use super::log::naming;
use super::model::{load_model, model_metadata};
use crate::env::Registry;
use crate::experiment::{Experiment, build, player};
use crate::nn::Slot;
use crate::state::Data;
use crate::train::{AnyTrainer, Model};

/// Puts what another run has learned in place of what an untrained training begins with, and returns a sentence that
/// tells what was taken and what was not.
///
/// `from` is the directory of a run or a model file. Of a model file the policy and the statistics of its observations
/// are taken; of a run, at its last checkpoint, also every other network that the same name stands for and that has the
/// same size, such as the value function or the critics and their targets. Of the policy every tensor is taken that has
/// the name and the shape of one here. Moments of optimisers, buffers and random numbers are never taken. It is an
/// error if no weights of the policy fit.
pub(super) fn start(training: &mut dyn AnyTrainer, from: &Path, registry: Arc<Registry>) -> Result<String, RunError> {
    let wrong = |what: String| RunError::Directory(format!("`init`: {}: {what}", from.display()));
    let parse = |text: &str| Experiment::parse(&from.display().to_string(), text, &[]);
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    let step;
    if from.is_dir() {
        let path = from.join("experiment.toml");
        let experiment = parse(&std::fs::read_to_string(&path).map_err(naming(&path))?)?;
        let mut source = build(&experiment, registry, 1)?;
        let checkpoints = Checkpoints::view(from.join("checkpoints"));
        if checkpoints.load_latest(&mut Kept::fresh(&mut *source))?.is_none() {
            return Err(wrong("the run has no checkpoint yet; wait for its first one".into()));
        }
        step = source.steps().to_string();
        policy(training.model(), source.model(), &mut taken, &mut left).map_err(&wrong)?;
        others(training, &mut *source, &mut taken, &mut left);
    } else {
        let pairs = model_metadata(from)?;
        let text = pairs.get("experiment").ok_or_else(|| wrong("its header tells no experiment".into()))?;
        let (mut source, _) = player(&parse(text)?, registry)?;
        source.load(from)?;
        step = pairs.get("steps").cloned().unwrap_or_default();
        policy(training.model(), source.model(), &mut taken, &mut left).map_err(&wrong)?;
    }
    let left = if left.is_empty() { String::new() } else { format!("; new here: {}", left.join(", ")) };
    Ok(format!("starts from step {step} of {} with {}{left}", from.display(), taken.join(", ")))
}

/// Loads what the teacher of a training has learned, where there is a teacher.
pub(super) fn teach(training: &mut dyn AnyTrainer, experiment: &Experiment) -> Result<(), RunError> {
    if let (Some(file), Some(model)) = (experiment.teacher_model(), training.teacher()) {
        load_model(&file, model)?;
    }
    Ok(())
}

/// Takes the tensors of a policy, and the statistics of its observations.
fn policy(to: Model<'_>, from: Model<'_>, taken: &mut Vec<String>, left: &mut Vec<String>) -> Result<(), String> {
    if to.standardiser.is_some() != from.standardiser.is_some() {
        let there = from.standardiser.is_some();
        return Err(format!("its policy was trained with `standardise` = {there}; set that here as well"));
    }
    let mut weights = 0;
    let (mut numbers, mut new) = (to.parameters.data().to_vec(), Vec::new());
    for slot in to.parameters.slots() {
        let slots = from.parameters.slots().iter();
        let same = |other: &&Slot| (&other.name, other.rows, other.cols) == (&slot.name, slot.rows, slot.cols);
        if let Some(other) = slots.clone().find(same) {
            numbers[slot.range()].copy_from_slice(&from.parameters.data()[other.range()]);
            weights += usize::from(slot.rows > 1);
        } else {
            new.push(format!("the policy's {}", slot.name));
        }
    }
    if weights == 0 {
        return Err(
            "no weight of its policy has the shape of one here; take its environment and its `[network]`".into()
        );
    }
    to.parameters.data_mut().copy_from_slice(&numbers);
    taken.push("its policy".into());
    left.append(&mut new);
    if let (Some(to), Some(from)) = (to.standardiser, from.standardiser) {
        if to.mean().len() == from.mean().len() {
            *to = from.clone();
        } else {
            left.push("the statistics of observations".into());
        }
    }
    Ok(())
}

/// Takes the networks beside the policy, and the statistics of what critics see.
fn others(to: &mut dyn AnyTrainer, from: &mut dyn AnyTrainer, taken: &mut Vec<String>, left: &mut Vec<String>) {
    const POLICY: &str = "algorithm/policy/parameters";
    // The part that an item belongs to.
    let part = |name: &str| {
        let network = name.strip_prefix("algorithm/").and_then(|name| name.strip_suffix("/parameters"));
        let statistics = name.starts_with("standardiser_s/").then_some("statistics of s");
        network.or(statistics).filter(|_| name != POLICY).map(str::to_string)
    };
    let mut there = BTreeMap::new();
    walk(from, &mut |name, data| {
        if part(name).is_some() {
            let numbers = match data {
                Data::F32(x) => (x.to_vec(), Vec::new()),
                Data::F64(x) => (Vec::new(), x.to_vec()),
                Data::U64(_) | Data::U8(_) => return,
            };
            there.insert(name.to_string(), numbers);
        }
    });
    walk(to, &mut |name, data| {
        let Some(part) = part(name) else { return };
        let fits = match (there.get(name), data) {
            (Some((from, _)), Data::F32(to)) if from.len() == to.len() => {
                to.copy_from_slice(from);
                true
            }
            (Some((_, from)), Data::F64(to)) if from.len() == to.len() => {
                to.copy_from_slice(from);
                true
            }
            _ => false,
        };
        let list = if fits { &mut *taken } else { &mut *left };
        if !list.contains(&part) {
            list.push(part);
        }
    });
}
