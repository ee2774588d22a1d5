//! From tensors to a [`Program`]: what led from the inputs to the outputs is written down, and a program is carried
//! out.
//!
//! A tensor remembers how it was made. So a network that has computed one row needs no description beside its code: the
//! walk back from the outputs to the inputs finds every operation, and what depends on no input is a constant.

use std::collections::BTreeMap;

use super::program::{Function, Pairwise, Program, Row, Step};
use super::real::Real;
use super::standardiser::standardise;
use super::tensor::Tensor;

/// Why a network cannot be written down.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Untraceable {
    /// There is no step for an operation.
    #[error("it computes {0}, for which an export has no operation")]
    Operation(&'static str),
    /// More than one row depends on the inputs at once.
    #[error("it makes a matrix of {0} x {1} of what it is shown, and an export has rows only")]
    Matrix(usize, usize),
    /// What the policy does is another in some steps than in others.
    #[error("{0}")]
    Varies(String),
    /// The written policy does something else than the policy.
    #[error(
        "it computes outside of tensors, so that what was written down does something else: {output} differs by \
         {by} at step {step}"
    )]
    Differs {
        /// The output that differs.
        output: String,
        /// By how much.
        by: f32,
        /// The first step at which it does.
        step: usize,
    },
}

/// Writes down how `outputs` came from the tensors `inputs`, each of one row, whose rows in the program are given
/// beside them. Returns the rows of the outputs.
pub(crate) fn trace(
    program: &mut Program,
    inputs: &[(&Tensor, Row)],
    outputs: &[&Tensor],
) -> Result<Vec<Row>, Untraceable> {
    let mut rows: BTreeMap<u64, Row> = inputs.iter().map(|(x, row)| (x.0.id, *row)).collect();
    outputs.iter().map(|x| write(program, &mut rows, x)).collect()
}

/// Writes the tensor `y` and all that it was made from. The walk keeps a list of its own, because a chain may be long.
fn write(program: &mut Program, rows: &mut BTreeMap<u64, Row>, y: &Tensor) -> Result<Row, Untraceable> {
    let mut pending = vec![y.clone()];
    while let Some(tensor) = pending.last().cloned() {
        let op = tensor.0.op.borrow();
        let before = pending.len();
        let unknown = |x: &&Tensor| !rows.contains_key(&x.0.id);
        pending.extend(op.parents().iter().filter(unknown).cloned());
        if pending.len() > before {
            continue;
        }
        pending.pop();
        if rows.contains_key(&tensor.0.id) {
            continue;
        }
        let parents: Vec<Row> = op.parents().iter().map(|x| rows[&x.0.id]).collect();
        // A parameter has no parents, and data has none either.
        let row = if parents.iter().all(|&x| program.constant(x).is_some()) {
            program.push(Step::Constant(tensor.data().to_vec()), tensor.data().len())
        } else if tensor.rows() != 1 {
            return Err(Untraceable::Matrix(tensor.rows(), tensor.cols()));
        } else {
            op.write(program, &parents).map_err(Untraceable::Operation)?
        };
        rows.insert(tensor.0.id, row);
    }
    Ok(rows[&y.0.id])
}

impl Program {
    /// Carries the program out: returns the outputs in their order. `inputs` gives the numbers of each input by its
    /// name. The numbers are those of the network, to the bit. Panics where an input has another number of entries.
    pub fn run<'a>(&self, inputs: impl Fn(&str) -> &'a [f32]) -> Vec<Vec<f32>> {
        let mut rows: Vec<Tensor> = Vec::new();
        for (step, size) in self.steps() {
            let row = |x: &[f32]| Tensor::new(1, x.len(), x);
            let y = match step {
                Step::Input(name) => row(inputs(name)),
                Step::Constant(x) => row(x),
                Step::Linear { x, weight, bias } => {
                    let x = &rows[*x];
                    let y = x.product(&Tensor::new(*size, x.cols(), weight));
                    if bias.is_empty() { y } else { y + row(bias) }
                }
                Step::Each(f, x) => each(*f, &rows[*x]),
                Step::Both(f, a, b) => both(*f, &rows[*a], &rows[*b]),
                Step::Sum(x, scale) => each(Function::Affine(*scale, 0.0), &rows[*x].sum_columns()),
                Step::Slice(x, from) => rows[*x].columns(*from..from + size),
                Step::Concat(parts) => Tensor::concat(&parts.iter().map(|&x| &rows[x]).collect::<Vec<_>>()),
                Step::Standardise { x, mean, std } => {
                    let mut x = rows[*x].data().to_vec();
                    standardise(&mut x, mean, std.iter().copied());
                    row(&x)
                }
                Step::Slide { window, x, seen, places } => {
                    let (mut window, x) = (rows[*window].data().to_vec(), rows[*x].data());
                    let mut at = rows[*seen].item() as usize;
                    if at == *places {
                        window.copy_within(x.len().., 0);
                        at -= 1;
                    }
                    window[at * x.len()..][..x.len()].copy_from_slice(x);
                    row(&window)
                }
            };
            assert_eq!(y.cols(), *size, "the row of {step:?}");
            rows.push(y);
        }
        self.outputs.iter().map(|output| rows[output.row].data().to_vec()).collect()
    }
}

fn each(f: Function, x: &Tensor) -> Tensor {
    match f {
        Function::Exp => x.exp(),
        Function::Ln => x.ln(),
        Function::Tanh => x.tanh(),
        Function::Sigmoid => x.sigmoid(),
        Function::Relu => x.relu(),
        Function::LeakyRelu(slope) => x.max(&(x * f64::from(slope))),
        Function::Softplus => x.softplus(),
        Function::Sin => x.sin(),
        Function::Cos => x.cos(),
        Function::Square => x.square(),
        Function::Sqrt => x.sqrt(),
        Function::Abs => x.abs(),
        Function::Clip(low, high) => x.clip(low.f64(), high.f64()),
        Function::Affine(scale, shift) => Tensor::with(1, x.cols(), |y| {
            y.iter_mut().zip(x.data()).for_each(|(y, x)| *y = x * scale + shift);
        }),
    }
}

fn both(f: Pairwise, a: &Tensor, b: &Tensor) -> Tensor {
    match f {
        Pairwise::Add => a + b,
        Pairwise::Sub => a - b,
        Pairwise::Mul => a * b,
        Pairwise::Div => a / b,
        Pairwise::Min => a.min(b),
        Pairwise::Max => a.max(b),
    }
}
