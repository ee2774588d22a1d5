//! A policy as an ONNX model of opset 18, with its state as inputs and outputs, and a program that holds it against
//! vectors.

use s2pg::run::protobuf::Message;
use s2pg::train::program::{Function, Pairwise, Program, Row, Step};

use super::{Export, File};

/// The version of the operators, and the version of the format that brought them.
const OPSET: u64 = 18;
const IR: u64 = 8;

/// Types of the entries of a tensor.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
const DOUBLE: u64 = 11;

/// The number of rows in a batch, where it is open: its name in the model.
const BATCH: &str = "batch";

/// Returns the model and the program that checks it. `batched` is whether the number of rows is open; else it is one.
pub fn write(export: &Export, batched: bool) -> Vec<File> {
    let model = File { name: "policy.onnx", bytes: model(export, batched).as_bytes().to_vec() };
    vec![model, File::text("policy_check.py", include_str!("policy_check.py").into())]
}

/// A part of what the policy keeps, as the model names it: which kept row it belongs to, from which entry on.
struct State {
    name: &'static str,
    kept: usize,
    from: usize,
    size: usize,
    /// Whether its shape has the number of layers in front, as a recurrent network's has.
    layered: bool,
}

/// Returns the parts of what is kept, by the names that rsl_rl gives to those of a recurrent network.
fn states(export: &Export) -> Vec<State> {
    let mut states = Vec::new();
    for (kept, row) in export.program.kept.iter().enumerate() {
        let mut add = |name, from, size, layered| states.push(State { name, kept, from, size, layered });
        match row.name.as_str() {
            "h" if export.about.lstm => {
                let n = row.size / 2;
                add("h", 0, n, true);
                add("c", n, n, true);
            }
            "h" => add("h", 0, row.size, true),
            "a_prev" => add("previous_action", 0, row.size, false),
            "actions" => add("previous_actions", 0, row.size, false),
            "window" => add("window", 0, row.size, false),
            "seen" => add("seen", 0, row.size, false),
            name => unreachable!("a policy keeps no {name}"),
        }
    }
    states
}

fn model(export: &Export, batched: bool) -> Message {
    let mut model = Message::default();
    model.number(1, IR);
    model.bytes(2, "s2pg");
    model.bytes(3, env!("CARGO_PKG_VERSION"));
    model.message(7, &graph(export, batched));
    let mut opset = Message::default();
    opset.bytes(1, "");
    opset.number(2, OPSET);
    model.message(8, &opset);
    for (key, value) in metadata(export) {
        let mut entry = Message::default();
        entry.bytes(1, key);
        entry.bytes(2, value);
        model.message(14, &entry);
    }
    model
}

/// What the model tells about itself. Lists are separated by commas, as deployers of such models read them.
fn metadata(export: &Export) -> Vec<(&'static str, String)> {
    let Export { spec, about, .. } = export;
    vec![
        ("run_path", about.run.clone()),
        ("algorithm", about.algorithm.clone()),
        ("steps", about.steps.to_string()),
        ("task", spec.name.clone()),
        ("observation_names", spec.o.join(",")),
        ("action_scale", "1.0".into()),
        ("step_dt", format!("{:?}", spec.dt)),
        ("initial_state", "zeros".into()),
        ("commit", crate::COMMIT.into()),
    ]
}

fn graph(export: &Export, batched: bool) -> Message {
    let policy = &export.program;
    let mut graph = Graph { batched, ..Graph::default() };
    let states = states(export);
    graph.declare(11, "obs", policy.observations(), false);
    let mut given = vec![("obs", "obs".to_string())];
    for (i, kept) in policy.kept.iter().enumerate() {
        let mut parts = Vec::new();
        for state in states.iter().filter(|state| state.kept == i) {
            let name = format!("{}_in", state.name);
            graph.declare(11, &name, state.size, state.layered);
            parts.push(if state.layered { graph.reshaped("Squeeze", &name) } else { name });
        }
        given.push((&kept.name, graph.joined(&parts)));
    }
    if policy.noise > 0 {
        graph.declare(11, "noise", policy.noise, false);
        given.push(("noise", "noise".into()));
    }
    let rows = graph.rows(&policy.program, &given);
    let outputs: Vec<String> =
        policy.program.outputs.iter().map(|o| graph.whole(&policy.program, &rows, o.row)).collect();
    graph.leave("actions", policy.actions(), &outputs[0], false);
    for state in &states {
        let all = &outputs[1 + state.kept];
        let part = if state.size == policy.kept[state.kept].size {
            all.clone()
        } else {
            graph.slice(all, state.from, state.size)
        };
        let part = if state.layered { graph.reshaped("Unsqueeze", &part) } else { part };
        graph.leave(&format!("{}_out", state.name), state.size, &part, state.layered);
    }
    graph.message.bytes(2, "policy");
    graph.message
}

/// A graph while it is written: every value has a name.
#[derive(Default)]
struct Graph {
    message: Message,
    /// The number of values so far.
    values: usize,
    batched: bool,
}

/// An attribute of a node.
enum Attribute {
    Int(&'static str, u64),
    Float(&'static str, f32),
}

impl Graph {
    fn name(&mut self, kind: &str) -> String {
        self.values += 1;
        format!("{kind}_{}", self.values)
    }

    /// Adds a node, and returns its output.
    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = self.name(operator);
        self.node_to(&output, operator, inputs, attributes);
        output
    }

    fn node_to(&mut self, output: &str, operator: &str, inputs: &[&str], attributes: &[Attribute]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.bytes(1, input));
        node.bytes(2, output);
        node.bytes(3, format!("{operator} to {output}"));
        node.bytes(4, operator);
        for attribute in attributes {
            let mut message = Message::default();
            match attribute {
                Attribute::Int(name, x) => {
                    message.bytes(1, name);
                    message.number(3, *x);
                    message.number(20, 2);
                }
                Attribute::Float(name, x) => {
                    message.bytes(1, name);
                    message.float(2, *x);
                    message.number(20, 1);
                }
            }
            node.message(5, &message);
        }
        self.message.message(1, &node);
    }

    /// Adds numbers that never change.
    fn constant(&mut self, kind: u64, shape: &[usize], bytes: Vec<u8>) -> String {
        let name = self.name("constant");
        let mut tensor = Message::default();
        shape.iter().for_each(|&n| tensor.number(1, n as u64));
        tensor.number(2, kind);
        tensor.bytes(8, &name);
        tensor.bytes(9, bytes);
        self.message.message(5, &tensor);
        name
    }

    fn floats(&mut self, shape: &[usize], x: &[f32]) -> String {
        self.constant(FLOAT, shape, x.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn scalar(&mut self, x: f32) -> String {
        self.floats(&[], &[x])
    }

    fn whole_numbers(&mut self, x: &[usize]) -> String {
        self.constant(INT64, &[x.len()], x.iter().flat_map(|&x| (x as u64).to_le_bytes()).collect())
    }

    fn doubles(&mut self, x: &[f64]) -> String {
        self.constant(DOUBLE, &[1, x.len()], x.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// Declares an input (field 11) or an output (field 12) of the graph.
    fn declare(&mut self, field: u64, name: &str, size: usize, layered: bool) {
        let mut shape = Message::default();
        let mut dimension = |n: Option<usize>| {
            let mut message = Message::default();
            match n {
                Some(n) => message.number(1, n as u64),
                None => message.bytes(2, BATCH),
            }
            shape.message(1, &message);
        };
        if layered {
            dimension(Some(1));
        }
        dimension((!self.batched).then_some(1));
        dimension(Some(size));
        let (mut tensor, mut kind, mut info) = (Message::default(), Message::default(), Message::default());
        tensor.number(1, FLOAT);
        tensor.message(2, &shape);
        kind.message(1, &tensor);
        info.bytes(1, name);
        info.message(2, &kind);
        self.message.message(field, &info);
    }

    fn leave(&mut self, name: &str, size: usize, value: &str, layered: bool) {
        self.node_to(name, "Identity", &[value], &[]);
        self.declare(12, name, size, layered);
    }

    /// Takes the number of layers, 1, off the front of a shape, or puts it there.
    fn reshaped(&mut self, operator: &str, x: &str) -> String {
        let axes = self.whole_numbers(&[0]);
        self.node(operator, &[x, &axes], &[])
    }

    fn slice(&mut self, x: &str, from: usize, size: usize) -> String {
        let (starts, ends, axes) =
            (self.whole_numbers(&[from]), self.whole_numbers(&[from + size]), self.whole_numbers(&[1]));
        self.node("Slice", &[x, &starts, &ends, &axes], &[])
    }

    fn joined(&mut self, parts: &[String]) -> String {
        if let [x] = parts {
            return x.clone();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, &[Attribute::Int("axis", 1)])
    }

    /// Returns a row as often as there are rows in the batch: constants stand once.
    fn whole(&mut self, program: &Program, rows: &[String], row: Row) -> String {
        if !self.batched || program.constant(row).is_none() {
            return rows[row].clone();
        }
        let count = self.node("Shape", &["obs"], &[Attribute::Int("start", 0), Attribute::Int("end", 1)]);
        let size = self.whole_numbers(&[program.size(row)]);
        let shape = self.node("Concat", &[&count, &size], &[Attribute::Int("axis", 0)]);
        self.node("Expand", &[&rows[row], &shape], &[])
    }

    /// Writes the steps of a program, and returns the names of their rows. `given` are the names of its inputs.
    fn rows(&mut self, program: &Program, given: &[(&str, String)]) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        for (step, size) in program.steps() {
            let row = match step {
                Step::Input(name) => {
                    let given = given.iter().find(|(input, _)| input == name);
                    given.expect("every input is given").1.clone()
                }
                Step::Constant(x) => self.floats(&[1, *size], x),
                Step::Linear { x, weight, bias } => {
                    let weight = self.floats(&[*size, program.size(*x)], weight);
                    let turned = [Attribute::Int("transB", 1)];
                    if bias.is_empty() {
                        self.node("Gemm", &[&rows[*x], &weight], &turned)
                    } else {
                        let bias = self.floats(&[*size], bias);
                        self.node("Gemm", &[&rows[*x], &weight, &bias], &turned)
                    }
                }
                Step::Each(f, x) => self.each(*f, &rows[*x]),
                Step::Both(f, a, b) => {
                    let operator = match f {
                        Pairwise::Add => "Add",
                        Pairwise::Sub => "Sub",
                        Pairwise::Mul => "Mul",
                        Pairwise::Div => "Div",
                        Pairwise::Min => "Min",
                        Pairwise::Max => "Max",
                    };
                    self.node(operator, &[&rows[*a], &rows[*b]], &[])
                }
                Step::Sum(x, scale) => {
                    let axes = self.whole_numbers(&[1]);
                    let sum = self.node("ReduceSum", &[&rows[*x], &axes], &[Attribute::Int("keepdims", 1)]);
                    self.each(Function::Affine(*scale, 0.0), &sum)
                }
                Step::Slice(x, from) => self.slice(&rows[*x], *from, *size),
                Step::Concat(parts) => {
                    let filled = parts.iter().filter(|x| program.size(**x) > 0);
                    let parts: Vec<String> = filled.map(|&x| self.whole(program, &rows, x)).collect();
                    self.joined(&parts)
                }
                Step::Standardise { x, mean, std } => {
                    let x = self.node("Cast", &[&rows[*x]], &[Attribute::Int("to", DOUBLE)]);
                    let (mean, std) = (self.doubles(mean), self.doubles(std));
                    let centred = self.node("Sub", &[&x, &mean], &[]);
                    let scaled = self.node("Div", &[&centred, &std], &[]);
                    let low = self.constant(DOUBLE, &[], (-10.0f64).to_le_bytes().into());
                    let high = self.constant(DOUBLE, &[], 10.0f64.to_le_bytes().into());
                    let clipped = self.node("Clip", &[&scaled, &low, &high], &[]);
                    self.node("Cast", &[&clipped], &[Attribute::Int("to", FLOAT)])
                }
                Step::Slide { window, x, seen, places } => {
                    let n = program.size(*x);
                    self.slide(&rows[*window], &rows[*x], &rows[*seen], *places, n)
                }
            };
            rows.push(row);
        }
        rows
    }

    /// A window with x behind the newest of its entries: each entry is that of x, of the window, or of the window moved
    /// by a place, by the number of its place.
    fn slide(&mut self, window: &str, x: &str, seen: &str, places: usize, n: usize) -> String {
        let last = self.scalar((places - 1) as f32);
        let place = self.node("Min", &[seen, &last], &[]);
        let numbers: Vec<f32> = (0..places * n).map(|i| (i / n) as f32).collect();
        let numbers = self.floats(&[1, places * n], &numbers);
        let here = self.node("Equal", &[&numbers, &place], &[]);
        let full = self.node("Greater", &[seen, &last], &[]);
        let (old, new) = (self.slice(window, 0, n), self.slice(window, n, (places - 1) * n));
        let moved = self.joined(&[new, old]);
        let rest = self.node("Where", &[&full, &moved, window], &[]);
        let repeated = self.joined(&vec![x.to_string(); places]);
        self.node("Where", &[&here, &repeated, &rest], &[])
    }

    fn each(&mut self, f: Function, x: &str) -> String {
        let mut one = |operator| self.node(operator, &[x], &[]);
        match f {
            Function::Exp => one("Exp"),
            Function::Ln => one("Log"),
            Function::Tanh => one("Tanh"),
            Function::Sigmoid => one("Sigmoid"),
            Function::Relu => one("Relu"),
            Function::Sin => one("Sin"),
            Function::Cos => one("Cos"),
            Function::Sqrt => one("Sqrt"),
            Function::Abs => one("Abs"),
            Function::LeakyRelu(slope) => self.node("LeakyRelu", &[x], &[Attribute::Float("alpha", slope)]),
            Function::Square => self.node("Mul", &[x, x], &[]),
            // Not every runtime's Softplus holds for large numbers.
            Function::Softplus => {
                let magnitude = self.node("Abs", &[x], &[]);
                let negative = self.node("Neg", &[&magnitude], &[]);
                let exponential = self.node("Exp", &[&negative], &[]);
                let one = self.scalar(1.0);
                let above = self.node("Add", &[&exponential, &one], &[]);
                let (logarithm, positive) = (self.node("Log", &[&above], &[]), self.node("Relu", &[x], &[]));
                self.node("Add", &[&positive, &logarithm], &[])
            }
            Function::Clip(low, high) => {
                let (low, high) = (self.scalar(low), self.scalar(high));
                self.node("Clip", &[x, &low, &high], &[])
            }
            Function::Affine(scale, shift) => {
                let scale = self.scalar(scale);
                let y = self.node("Mul", &[x, &scale], &[]);
                if shift == 0.0 {
                    return y;
                }
                let shift = self.scalar(shift);
                self.node("Add", &[&y, &shift], &[])
            }
        }
    }
}
