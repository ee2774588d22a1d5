//! A program as calls of a few functions over one array: what is the same in C and in Rust.

use std::collections::BTreeSet;

use s2pg::train::PolicyProgram;
use s2pg::train::program::{Function, Pairwise, Row, Step};

/// The functions of each entry: the name, what it needs, the arguments behind the number of entries, and the formula,
/// which is the same in C and, but for the letter behind numbers of single precision, in Rust.
pub(super) const EACH: &[(&str, &str, &[&str], &str)] = &[
    ("exps", "exponential", &[], "exponential(x)"),
    ("lns", "logarithm", &[], "logarithm(x)"),
    ("tanhs", "hyperbolic_tangent", &[], "hyperbolic_tangent(x)"),
    ("sigmoids", "sigmoid", &[], "sigmoid(x)"),
    ("relus", "larger", &[], "larger(x, 0.0f)"),
    ("leaky_relus", "larger", &["a"], "larger(x, x * a)"),
    ("softpluses", "softplus", &[], "softplus(x)"),
    ("sines", "wave", &[], "wave(x, 0)"),
    ("cosines", "wave", &[], "wave(x, 1)"),
    ("squares", "", &[], "x * x"),
    ("square_roots", "square_root", &[], "square_root(x)"),
    ("magnitudes", "magnitude", &[], "magnitude(x)"),
    ("clips", "larger smaller", &["a", "b"], "smaller(larger(x, a), b)"),
    ("affines", "", &["a", "b"], "x * a + b"),
];

/// The functions of two entries: the name, what it needs, and the formula.
pub(super) const BOTH: &[(&str, &str, &str)] = &[
    ("add", "", "a + b"),
    ("sub", "", "a - b"),
    ("mul", "", "a * b"),
    ("div", "", "a / b"),
    ("min", "smaller", "smaller(a, b)"),
    ("max", "larger", "larger(a, b)"),
];

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arg {
    /// A place in the array, or a number of entries.
    At(usize),
    /// A number.
    Number(f32),
    /// A table.
    Table(usize),
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// The name of the function.
    pub name: &'static str,
    /// Its arguments behind the array: first where the result goes.
    pub args: Vec<Arg>,
}

/// Numbers that never change.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Table {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// A program as calls over an array of f32.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    pub calls: Vec<Call>,
    pub tables: Vec<Table>,
    /// The length of the array.
    pub room: usize,
    /// The number of entries, from the first on, that are kept from one step to the next.
    pub kept: usize,
    /// Where the observation, the noise and the action stand.
    pub obs: usize,
    pub noise: usize,
    pub action: usize,
}

impl Code {
    /// Writes the program of a policy as calls.
    pub fn of(policy: &PolicyProgram) -> Self {
        let mut code = Self::default();
        let program = &policy.program;
        let mut places = vec![usize::MAX; program.steps().len()];
        // What is kept stands first, so that it is cleared at once.
        for kept in &policy.kept {
            let row = program.input_named(&kept.name);
            let at = code.take(kept.size);
            row.into_iter().for_each(|row| places[row] = at);
        }
        code.kept = code.room;
        for (row, (step, size)) in program.steps().iter().enumerate() {
            places[row] = match step {
                Step::Input(name) => {
                    let at = if places[row] == usize::MAX { code.take(*size) } else { places[row] };
                    match name.as_str() {
                        "obs" => code.obs = at,
                        "noise" => code.noise = at,
                        _ => {}
                    }
                    at
                }
                Step::Slice(x, from) => places[*x] + from,
                step => {
                    let at = code.take(*size);
                    code.write(step, at, *size, &places, &|row: Row| program.size(row));
                    at
                }
            };
        }
        code.action = places[program.outputs[0].row];
        // What is kept is replaced at the end, after all that reads it: a part of it that stays goes by another place.
        let mut moves = Vec::new();
        for output in &program.outputs[1..] {
            let (mut from, size) = (places[output.row], program.size(output.row));
            if from < code.kept {
                let at = code.take(size);
                code.call("copy", at, [Arg::At(from), Arg::At(size)]);
                from = at;
            }
            moves.push((from, size));
        }
        let mut to = 0;
        for (from, size) in moves {
            code.call("copy", to, [Arg::At(from), Arg::At(size)]);
            to += size;
        }
        code
    }

    /// Returns the names of the functions that are called.
    pub fn names(&self) -> BTreeSet<&'static str> {
        self.calls.iter().map(|call| call.name).collect()
    }

    fn take(&mut self, size: usize) -> usize {
        self.room += size;
        self.room - size
    }

    fn call(&mut self, name: &'static str, to: usize, args: impl IntoIterator<Item = Arg>) {
        self.calls.push(Call { name, args: [Arg::At(to)].into_iter().chain(args).collect() });
    }

    fn table(&mut self, table: Table) -> Arg {
        let at = self.tables.iter().position(|t| *t == table).unwrap_or_else(|| {
            self.tables.push(table);
            self.tables.len() - 1
        });
        Arg::Table(at)
    }

    fn write(&mut self, step: &Step, y: usize, n: usize, places: &[usize], size: &dyn Fn(Row) -> usize) {
        use Arg::{At, Number};
        match step {
            Step::Input(_) | Step::Slice(..) => unreachable!("they are places"),
            Step::Constant(x) => {
                let x = self.table(Table::F32(x.clone()));
                self.call("load", y, [x, At(n)]);
            }
            Step::Linear { x, weight, bias } => {
                // The weight is turned, so that the sums of all entries grow side by side.
                let (m, x) = (size(*x), places[*x]);
                let turned = (0..m).flat_map(|j| (0..n).map(move |i| (i, j))).map(|(i, j)| weight[i * m + j]).collect();
                let w = self.table(Table::F32(turned));
                self.call("product", y, [At(x), w, At(n), At(m)]);
                if !bias.is_empty() {
                    let b = self.table(Table::F32(bias.clone()));
                    self.call("add_table", y, [b, At(n)]);
                }
            }
            Step::Each(f, x) => {
                let (name, numbers) = function(*f);
                let numbers = numbers.into_iter().map(Number);
                self.call(name, y, [At(places[*x]), At(n)].into_iter().chain(numbers));
            }
            Step::Both(f, a, b) => {
                let name = match f {
                    Pairwise::Add => "add",
                    Pairwise::Sub => "sub",
                    Pairwise::Mul => "mul",
                    Pairwise::Div => "div",
                    Pairwise::Min => "min",
                    Pairwise::Max => "max",
                };
                // A single number is read again for each entry.
                let stride = |row: Row| At(usize::from(size(row) == n));
                self.call(name, y, [At(places[*a]), stride(*a), At(places[*b]), stride(*b), At(n)]);
            }
            Step::Sum(x, scale) => self.call("sum", y, [At(places[*x]), At(size(*x)), Number(*scale)]),
            Step::Concat(parts) => {
                let mut to = y;
                for &x in parts.iter().filter(|x| size(**x) > 0) {
                    self.call("copy", to, [At(places[x]), At(size(x))]);
                    to += size(x);
                }
            }
            Step::Standardise { x, mean, std } => {
                let (mean, std) = (self.table(Table::F64(mean.clone())), self.table(Table::F64(std.clone())));
                self.call("standardise", y, [At(places[*x]), mean, std, At(n)]);
            }
            Step::Slide { window, x, seen, places: count } => {
                let at = |row: Row| At(places[row]);
                self.call("slide", y, [at(*window), at(*x), at(*seen), At(*count), At(size(*x))]);
            }
        }
    }
}

/// Returns the name of a function of each entry, and its numbers.
fn function(f: Function) -> (&'static str, Vec<f32>) {
    match f {
        Function::Exp => ("exps", vec![]),
        Function::Ln => ("lns", vec![]),
        Function::Tanh => ("tanhs", vec![]),
        Function::Sigmoid => ("sigmoids", vec![]),
        Function::Relu => ("relus", vec![]),
        Function::LeakyRelu(slope) => ("leaky_relus", vec![slope]),
        Function::Softplus => ("softpluses", vec![]),
        Function::Sin => ("sines", vec![]),
        Function::Cos => ("cosines", vec![]),
        Function::Square => ("squares", vec![]),
        Function::Sqrt => ("square_roots", vec![]),
        Function::Abs => ("magnitudes", vec![]),
        Function::Clip(low, high) => ("clips", vec![low, high]),
        Function::Affine(scale, shift) => ("affines", vec![scale, shift]),
    }
}
