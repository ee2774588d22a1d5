//! A policy in C99: a header, a source without allocation or dependencies, and a program that holds it against vectors.

use std::fmt::Write;

use super::c_functions::FUNCTIONS;
use super::code::{Arg, BOTH, Call, Code, EACH, Table};
use super::{Export, File};

/// Returns the header, the source and the program that checks them.
pub fn write(export: &Export) -> Vec<File> {
    vec![
        File::text("policy.h", header(export)),
        File::text("policy.c", source(export)),
        File::text("policy_check.c", include_str!("policy_check.c").into()),
    ]
}

fn header(export: &Export) -> String {
    let Export { program, spec, about, .. } = export;
    let mut text = format!(
        "/* A policy of the task {}, trained with {} for {} steps ({}).\n\n   Call policy_reset before the first \
         step of every episode, and then policy_step once every {} s. What the\n   policy remembers is inside, so \
         there is one policy in a program.\n\n   The observation, as the task gives it:\n",
        spec.name,
        comment(&about.algorithm),
        about.steps,
        comment(&about.run),
        spec.dt
    );
    for (i, name) in spec.o.iter().enumerate() {
        let _ = writeln!(text, "     {i}  {}", comment(name));
    }
    text.push_str("\n   The action, each entry within its range:\n");
    for (i, (low, high)) in spec.low.iter().zip(&spec.high).enumerate() {
        let _ = writeln!(text, "     {i}  {low} to {high}");
    }
    let (noise, argument) = noise(program.noise);
    let _ = write!(
        text,
        "*/\n#ifndef POLICY_H\n#define POLICY_H\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         #define POLICY_OBSERVATIONS {}\n#define POLICY_ACTIONS {}\n{noise}#define POLICY_STEP_SECONDS {:?}\n\n\
         /* Forgets the episode before. */\nvoid policy_reset(void);\n\n\
         /* Writes the action for an observation, and remembers both. */\n\
         void policy_step(const float obs[POLICY_OBSERVATIONS], {argument}float action[POLICY_ACTIONS]);\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
        program.observations(),
        program.actions(),
        spec.dt,
    );
    text
}

/// Returns the definition and the argument of the noise.
fn noise(n: usize) -> (String, &'static str) {
    if n == 0 {
        return (String::new(), "");
    }
    let what = "/* Standard normal numbers, drawn anew for every step. */\n";
    (format!("{what}#define POLICY_NOISE {n}\n"), "const float noise[POLICY_NOISE], ")
}

/// Text that does not end the comment in which it stands.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

fn source(export: &Export) -> String {
    let code = Code::of(&export.program);
    let mut text = String::from("#include \"policy.h\"\n\n#include <stdint.h>\n\n");
    for (i, table) in code.tables.iter().enumerate() {
        match table {
            Table::F32(x) => write_table(&mut text, "float", i, x.iter().map(|&x| number(x)).collect()),
            Table::F64(x) => write_table(&mut text, "double", i, x.iter().map(|x| format!("{x:e}")).collect()),
        }
    }
    functions(&mut text, &code);
    let (n_o, n_a) = (export.program.observations(), export.program.actions());
    let (_, argument) = noise(export.program.noise);
    let _ = write!(
        text,
        "/* What is kept, and behind it what a step computes. */\nstatic float r[{}];\n\nvoid policy_reset(void) {{\n    \
         int i;\n    for (i = 0; i < {}; i++) {{\n        r[i] = 0.0f;\n    }}\n}}\n\nvoid policy_step(const float \
         obs[POLICY_OBSERVATIONS], {argument}float action[POLICY_ACTIONS]) {{\n    int i;\n    for (i = 0; i < {n_o}; \
         i++) {{\n        r[{} + i] = obs[i];\n    }}\n",
        code.room, code.kept, code.obs,
    );
    if export.program.noise > 0 {
        let _ = write!(
            text,
            "    for (i = 0; i < {}; i++) {{\n        r[{} + i] = noise[i];\n    }}\n",
            export.program.noise, code.noise
        );
    }
    for Call { name, args } in &code.calls {
        let args = args.iter().map(|arg| match arg {
            Arg::At(at) => format!(", {at}"),
            Arg::Number(x) => format!(", {}", number(*x)),
            Arg::Table(i) => format!(", t{i}"),
        });
        let _ = writeln!(text, "    {name}(r{});", args.collect::<String>());
    }
    let _ =
        write!(text, "    for (i = 0; i < {n_a}; i++) {{\n        action[i] = r[{} + i];\n    }}\n}}\n", code.action);
    text
}

/// A number of single precision, to the bit.
fn number(x: f32) -> String {
    match x {
        x if x == f32::INFINITY => "(1.0f / 0.0f)".into(),
        x if x == f32::NEG_INFINITY => "(-1.0f / 0.0f)".into(),
        x => format!("{x:e}f"),
    }
}

fn write_table(text: &mut String, kind: &str, i: usize, numbers: Vec<String>) {
    let _ = writeln!(text, "static const {kind} t{i}[{}] = {{", numbers.len());
    for row in numbers.chunks(6) {
        let _ = writeln!(text, "    {},", row.join(", "));
    }
    text.push_str("};\n\n");
}

/// Writes the functions that are called, and what they need.
fn functions(text: &mut String, code: &Code) {
    let called = code.names();
    let each = || EACH.iter().filter(|(name, ..)| called.contains(name));
    let both = || BOTH.iter().filter(|(name, ..)| called.contains(name));
    let mut needed: Vec<&str> = called.iter().copied().collect();
    needed.extend(each().flat_map(|(_, needs, ..)| needs.split_whitespace()));
    needed.extend(both().flat_map(|(_, needs, _)| needs.split_whitespace()));
    for (name, needs, _) in FUNCTIONS.iter().rev() {
        if needed.contains(name) {
            needed.extend(*needs);
        }
    }
    for (_, _, body) in FUNCTIONS.iter().filter(|(name, ..)| needed.contains(name)) {
        let _ = write!(text, "{body}\n\n");
    }
    for (name, _, numbers, formula) in each() {
        let numbers: String = numbers.iter().map(|name| format!(", float {name}")).collect();
        let _ = write!(
            text,
            "static void {name}(float *r, int y, int from, int n{numbers}) {{\n    int i;\n    for (i = 0; i < n; i++) \
             {{\n        float x = r[from + i];\n        r[y + i] = {formula};\n    }}\n}}\n\n"
        );
    }
    for (name, _, formula) in both() {
        let _ = write!(
            text,
            "static void {name}(float *r, int y, int p, int by_p, int q, int by_q, int n) {{\n    int i;\n    for (i = \
             0; i < n; i++) {{\n        float a = r[p + i * by_p];\n        float b = r[q + i * by_q];\n        r[y + i] \
             = {formula};\n    }}\n}}\n\n"
        );
    }
}
