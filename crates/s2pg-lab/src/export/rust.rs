//! A policy as a module of Rust that needs `core` alone, and a program that holds it against vectors.

use std::fmt::Write;

use super::code::{Arg, BOTH, Call, Code, EACH, Table};
use super::{Export, File};

/// Returns the module and the program that checks it.
pub fn write(export: &Export) -> Vec<File> {
    let step = if export.program.noise > 0 {
        "policy.step(obs, rest[..NOISE].try_into().unwrap())"
    } else {
        "let _ = rest;\n        policy.step(obs)"
    };
    let check = include_str!("policy_check.rs.in").replace("STEP", step);
    vec![File::text("policy.rs", module(export)), File::text("policy_check.rs", check)]
}

/// The head of the module: what it is about, its sizes, and the policy with its reset.
fn head(text: &mut String, export: &Export, code: &Code) {
    let Export { program, spec, about, .. } = export;
    let _ = write!(
        text,
        "//! A policy of the task {}, trained with {} for {} steps ({:?}).\n//!\n//! Call `reset` before the first step of \
         every episode, and then `step` once every {} s.\n//!\n//! The observation, as the task gives it:\n//!\n",
        spec.name, about.algorithm, about.steps, about.run, spec.dt
    );
    for (i, name) in spec.o.iter().enumerate() {
        let _ = writeln!(text, "//! {i}. {}", name.escape_debug());
    }
    text.push_str("//!\n//! The action, each entry within its range:\n//!\n");
    for (i, (low, high)) in spec.low.iter().zip(&spec.high).enumerate() {
        let _ = writeln!(text, "//! {i}. {low} to {high}");
    }
    let sizes = [
        ("The number of entries of an observation.", "OBSERVATIONS: usize", program.observations().to_string()),
        ("The number of entries of an action.", "ACTIONS: usize", program.actions().to_string()),
        ("The number of standard normal numbers that a step draws from.", "NOISE: usize", program.noise.to_string()),
        ("The time between two steps, in seconds.", "STEP_SECONDS: f64", format!("{:?}", spec.dt)),
    ];
    text.push_str("#![allow(clippy::all, dead_code)]\n\n");
    for (words, name, value) in sizes {
        let _ = writeln!(text, "/// {words}\npub const {name} = {value};");
    }
    let _ = write!(
        text,
        "
/// The policy with what it remembers.
#[derive(Clone, Debug)]
pub struct Policy {{
    /// What is kept, and behind it what a step computes.
    r: [f32; {room}],
}}

impl Policy {{
    /// The policy at the start of an episode.
    pub const fn new() -> Self {{
        Self {{ r: [0.0; {room}] }}
    }}

    /// Forgets the episode before.
    pub fn reset(&mut self) {{
        self.r[..{kept}].fill(0.0);
    }}

",
        kept = code.kept,
        room = code.room,
    );
}

fn module(export: &Export) -> String {
    let code = Code::of(&export.program);
    let mut text = String::new();
    head(&mut text, export, &code);
    let noise = export.program.noise;
    let (words, argument) = if noise > 0 {
        (" `noise` holds standard normal numbers, drawn anew for every step.", ", noise: &[f32; NOISE]")
    } else {
        ("", "")
    };
    let _ = write!(
        text,
        "    /// Returns the action for an observation, and remembers both.{words}\n    pub fn step(&mut self, obs: &[f32; \
         OBSERVATIONS]{argument}) -> [f32; ACTIONS] {{\n        let r = &mut self.r[..];\n        load(r, {}, obs, \
         OBSERVATIONS);\n",
        code.obs
    );
    if noise > 0 {
        let _ = writeln!(text, "        load(r, {}, noise, NOISE);", code.noise);
    }
    code.calls.iter().for_each(|call| {
        let _ = writeln!(text, "        {};", written(call));
    });
    let _ = write!(
        text,
        "        let mut action = [0.0; ACTIONS];\n        action.copy_from_slice(&r[{at}..{at} + ACTIONS]);\n        \
         action\n    }}\n}}\n\nimpl Default for Policy {{\n    fn default() -> Self {{\n        Self::new()\n    \
         }}\n}}\n\n{}",
        include_str!("policy_functions.rs.in"),
        at = code.action
    );
    for (i, table) in code.tables.iter().enumerate() {
        match table {
            Table::F32(x) => write_table(&mut text, "f32", i, x.iter().map(|&x| number(x)).collect()),
            Table::F64(x) => write_table(&mut text, "f64", i, x.iter().map(|x| format!("{x:e}")).collect()),
        }
    }
    text
}

/// A call; where C has a function for a formula, a function of Rust takes the formula.
fn written(Call { name, args }: &Call) -> String {
    let args: Vec<String> = args
        .iter()
        .map(|arg| match arg {
            Arg::At(at) => at.to_string(),
            Arg::Number(x) => number(*x),
            Arg::Table(i) => format!("&T{i}"),
        })
        .collect();
    let in_rust = |formula: &str| formula.replace("0.0f", "0.0");
    if let Some((_, _, names, formula)) = EACH.iter().find(|(each, ..)| each == name) {
        let given: String = names.iter().zip(&args[3..]).map(|(name, x)| format!("let {name} = {x}; ")).collect();
        return format!("each(r, {}, |x| {{ {given}{} }})", args[..3].join(", "), in_rust(formula));
    }
    if let (Some((_, _, formula)), [y, a, by_a, b, by_b, n]) = (BOTH.iter().find(|(both, ..)| both == name), &args[..])
    {
        return format!("both(r, {y}, ({a}, {by_a}), ({b}, {by_b}), {n}, |a, b| {})", in_rust(formula));
    }
    format!("{name}(r, {})", args.join(", "))
}

/// A number of single precision, to the bit.
fn number(x: f32) -> String {
    match x {
        x if x == f32::INFINITY => "f32::INFINITY".into(),
        x if x == f32::NEG_INFINITY => "f32::NEG_INFINITY".into(),
        x => format!("{x:e}"),
    }
}

fn write_table(text: &mut String, kind: &str, i: usize, numbers: Vec<String>) {
    let _ = writeln!(text, "\nstatic T{i}: [{kind}; {}] = [", numbers.len());
    for row in numbers.chunks(6) {
        let _ = writeln!(text, "    {},", row.join(", "));
    }
    text.push_str("];\n");
}
