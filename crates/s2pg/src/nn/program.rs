//! What a network computes, written down as a list of operations on rows of f32 numbers.
//!
//! A [`Program`] is what leaves the library: whoever can carry out these few operations can act as the policy does.

use std::collections::BTreeMap;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// e to the power of x.
    Exp,
    /// The natural logarithm.
    Ln,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// max(x, 0).
    Relu,
    /// max(x, c x) for the number c.
    LeakyRelu(f32),
    /// max(x, 0) + ln(1 + exp(-|x|)).
    Softplus,
    /// The sine, in radians.
    Sin,
    /// The cosine, in radians.
    Cos,
    /// x x.
    Square,
    /// The square root.
    Sqrt,
    /// The magnitude.
    Abs,
    /// The number between the first and the second that is nearest to x; NaN stays NaN.
    Clip(f32, f32),
    /// x times the first, plus the second; rounded twice.
    Affine(f32, f32),
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairwise {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// a b.
    Mul,
    /// a / b.
    Div,
    /// b where a > b, else a.
    Min,
    /// b where a < b, else a.
    Max,
}

/// The place of a row in a program.
pub type Row = usize;

/// How a row of numbers is made from rows before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// What the caller gives, by name.
    Input(String),
    /// These numbers.
    Constant(Vec<f32>),
    /// W x + b, with W [size, size of x] row after row, and b with `size` entries, or none.
    Linear {
        /// The row x.
        x: Row,
        /// The matrix W, row after row.
        weight: Vec<f32>,
        /// The numbers b; empty where there are none.
        bias: Vec<f32>,
    },
    /// A function of each number.
    Each(Function, Row),
    /// A function of each pair of numbers; a row of one number is paired with each of the other.
    Both(Pairwise, Row, Row),
    /// The sum of all numbers of a row, times a number.
    Sum(Row, f32),
    /// The numbers of a row from an index on.
    Slice(Row, usize),
    /// Rows, one behind the other.
    Concat(Vec<Row>),
    /// (x - mean) / std clipped to ±10, computed in f64 and rounded to f32 at the end.
    Standardise {
        /// The row x.
        x: Row,
        /// The mean of each entry.
        mean: Vec<f64>,
        /// The standard deviation of each entry.
        std: Vec<f64>,
    },
    /// A window of as many places as the last field says, each as long as x, with x in it: behind the `seen` newest
    /// entries, or, where all places are taken, at the end, after the oldest has left.
    Slide {
        /// The window before.
        window: Row,
        /// What comes in.
        x: Row,
        /// How many places are taken, a row of one whole number.
        seen: Row,
        /// The number of places.
        places: usize,
    },
}

impl Step {
    /// Returns the rows that the step reads.
    pub fn reads(&self) -> Vec<Row> {
        match self {
            Self::Input(_) | Self::Constant(_) => Vec::new(),
            Self::Linear { x, .. }
            | Self::Each(_, x)
            | Self::Sum(x, _)
            | Self::Slice(x, _)
            | Self::Standardise { x, .. } => vec![*x],
            Self::Both(_, a, b) => vec![*a, *b],
            Self::Concat(parts) => parts.clone(),
            Self::Slide { window, x, seen, .. } => vec![*window, *x, *seen],
        }
    }

    fn renamed(mut self, to: &BTreeMap<Row, Row>) -> Self {
        match &mut self {
            Self::Input(_) | Self::Constant(_) => {}
            Self::Linear { x, .. }
            | Self::Each(_, x)
            | Self::Sum(x, _)
            | Self::Slice(x, _)
            | Self::Standardise { x, .. } => *x = to[x],
            Self::Both(_, a, b) => (*a, *b) = (to[a], to[b]),
            Self::Concat(parts) => parts.iter_mut().for_each(|x| *x = to[x]),
            Self::Slide { window, x, seen, .. } => (*window, *x, *seen) = (to[window], to[x], to[seen]),
        }
        self
    }
}

/// A row that leaves a program, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its place.
    pub row: Row,
}

/// Steps in an order in which each reads only what stands before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    steps: Vec<(Step, usize)>,
    /// The rows that leave the program.
    pub outputs: Vec<Output>,
}

impl Program {
    /// Returns the steps in their order, each with the number of entries of its row.
    pub fn steps(&self) -> &[(Step, usize)] {
        &self.steps
    }

    /// Returns the number of entries of a row.
    pub fn size(&self, row: Row) -> usize {
        self.steps[row].1
    }

    /// Adds a step whose row has `size` entries.
    pub fn push(&mut self, step: Step, size: usize) -> Row {
        self.steps.push((step, size));
        self.steps.len() - 1
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, size: usize) -> Row {
        self.push(Step::Input(name.into()), size)
    }

    /// Adds `f` of each entry of `x`.
    pub fn each(&mut self, f: Function, x: Row) -> Row {
        self.push(Step::Each(f, x), self.size(x))
    }

    /// Adds `f` of the entries of `a` and `b`.
    pub fn both(&mut self, f: Pairwise, a: Row, b: Row) -> Row {
        self.push(Step::Both(f, a, b), self.size(a).max(self.size(b)))
    }

    /// Adds `size` entries of `x`, from the index `from` on.
    pub fn slice(&mut self, x: Row, from: usize, size: usize) -> Row {
        if (from, size) == (0, self.size(x)) { x } else { self.push(Step::Slice(x, from), size) }
    }

    /// Adds the rows `parts`, one behind the other.
    pub fn concat(&mut self, parts: &[Row]) -> Row {
        let size = parts.iter().map(|&x| self.size(x)).sum();
        if let [x] = parts { *x } else { self.push(Step::Concat(parts.into()), size) }
    }

    /// Adds the sum of the entries of `x`, times `scale`.
    pub fn sum(&mut self, x: Row, scale: f32) -> Row {
        self.push(Step::Sum(x, scale), 1)
    }

    /// Adds W x + b.
    pub fn linear(&mut self, x: Row, weight: Vec<f32>, bias: Vec<f32>) -> Row {
        let size = weight.len() / self.size(x).max(1);
        self.push(Step::Linear { x, weight, bias }, size)
    }

    /// Returns the numbers of a row that are always the same; None where they depend on inputs.
    pub fn constant(&self, row: Row) -> Option<&[f32]> {
        if let (Step::Constant(x), _) = &self.steps[row] { Some(x) } else { None }
    }

    /// Names `row` as what leaves the program.
    pub fn output(&mut self, name: &str, row: Row) {
        self.outputs.push(Output { name: name.into(), row });
    }

    /// Returns the row of the input `name`; None where there is none.
    pub fn input_named(&self, name: &str) -> Option<Row> {
        self.steps.iter().position(|(step, _)| matches!(step, Step::Input(x) if x == name))
    }

    /// Returns the program without the steps that no output needs; the inputs `kept` stay.
    pub fn pruned(self, kept: &[&str]) -> Self {
        let mut needed = vec![false; self.steps.len()];
        self.outputs.iter().for_each(|output| needed[output.row] = true);
        for (row, (step, _)) in self.steps.iter().enumerate().rev() {
            needed[row] |= matches!(step, Step::Input(name) if kept.contains(&name.as_str()));
            if needed[row] {
                step.reads().into_iter().for_each(|x| needed[x] = true);
            }
        }
        let (mut to, mut steps) = (BTreeMap::new(), Vec::new());
        for (row, (step, size)) in self.steps.into_iter().enumerate().filter(|(row, _)| needed[*row]) {
            to.insert(row, steps.len());
            steps.push((step.renamed(&to), size));
        }
        let outputs = self.outputs.into_iter().map(|o| Output { row: to[&o.row], ..o }).collect();
        Self { steps, outputs }
    }
}
