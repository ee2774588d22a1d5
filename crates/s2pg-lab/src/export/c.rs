//! A policy in C99: a header, a source without allocation or dependencies, and a program that holds it against vectors.

use std::fmt::Write;

use super::code::{Arg, Call, Code, Table};
use super::{Export, File};

/// The functions of the source: the name of each, what it needs, and its text. One that needs another stands behind it.
const FUNCTIONS: &[(&str, &[&str], &str)] = &[
    (
        "number",
        &[],
        "typedef union { float x; uint32_t bits; } number;

static float of_bits(uint32_t bits) {
    number n;
    n.bits = bits;
    return n.x;
}

static uint32_t bits_of(float x) {
    number n;
    n.x = x;
    return n.bits;
}",
    ),
    ("magnitude", &["number"], "static float magnitude(float x) { return of_bits(bits_of(x) & 0x7fffffffu); }"),
    ("larger", &[], "static float larger(float a, float b) { return a < b ? b : a; }"),
    ("smaller", &[], "static float smaller(float a, float b) { return a > b ? b : a; }"),
    (
        "exponential",
        &["number", "larger", "smaller"],
        "/* e to the power of x, within 2e-7 of it: x = n ln 2 + r, and a polynomial of r. */
static float exponential(float x) {
    const float magic = 12582912.0f;
    float c = smaller(larger(x, -104.0f), 104.0f);
    float shifted = c * 1.44269504f + magic;
    int32_t n = (int32_t)((int64_t)bits_of(shifted) - (int64_t)bits_of(magic));
    float whole = shifted - magic;
    float r = c - whole * 0.6933594f - whole * -2.1219444e-4f;
    float p = 1.9875691e-4f;
    int32_t half = (n - (n & 1)) / 2;
    p = p * r + 1.3982e-3f;
    p = p * r + 8.333452e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 0.5f;
    return (p * r * r + r + 1.0f) * of_bits(((uint32_t)half + 127u) << 23)
        * of_bits(((uint32_t)(n - half) + 127u) << 23);
}",
    ),
    (
        "logarithm",
        &["number"],
        "/* The natural logarithm, within 2e-7 of it or of 1. */
static float logarithm(float x) {
    int tiny = x < 1.17549435e-38f;
    uint32_t bits = bits_of(tiny ? x * 8388608.0f : x);
    int32_t above = (int32_t)((int64_t)bits - 0x3f3504f3);
    int32_t e = (above - (int32_t)((uint32_t)above & 0x7fffffu)) / 8388608;
    float m = of_bits(bits - ((uint32_t)e << 23)) - 1.0f;
    float whole = (float)e - (tiny ? 23.0f : 0.0f);
    float z = m * m;
    float p = 7.0376836e-2f;
    float y;
    p = p * m + -1.151461e-1f;
    p = p * m + 1.1676998e-1f;
    p = p * m + -1.2420141e-1f;
    p = p * m + 1.4249323e-1f;
    p = p * m + -1.6668058e-1f;
    p = p * m + 2.0000715e-1f;
    p = p * m + -2.4999994e-1f;
    p = p * m + 3.333333e-1f;
    y = m + (m * z * p + whole * -2.1219444e-4f - 0.5f * z) + whole * 0.6933594f;
    if (x == 0.0f) {
        return of_bits(0xff800000u);
    }
    if (x < 0.0f) {
        return of_bits(0x7fc00000u);
    }
    return x < of_bits(0x7f800000u) ? y : x;
}",
    ),
    (
        "hyperbolic_tangent",
        &["exponential", "magnitude"],
        "/* The hyperbolic tangent, within 2e-7 of it. */
static float hyperbolic_tangent(float x) {
    float m = magnitude(x);
    float z = x * x;
    float p = -5.704989e-3f;
    float large = 1.0f - 2.0f / (exponential(m + m) + 1.0f);
    p = p * z + 2.063909e-2f;
    p = p * z + -5.3739716e-2f;
    p = p * z + 1.3331442e-1f;
    p = p * z + -3.333328e-1f;
    large = of_bits((bits_of(large) & 0x7fffffffu) | (bits_of(x) & 0x80000000u));
    return m < 0.625f ? p * z * x + x : large;
}",
    ),
    ("sigmoid", &["exponential"], "static float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }"),
    (
        "softplus",
        &["exponential", "logarithm", "magnitude", "larger"],
        "static float softplus(float x) { return larger(x, 0.0f) + logarithm(1.0f + exponential(-magnitude(x))); }",
    ),
    (
        "wave",
        &["magnitude"],
        "/* The sine, or a quarter of a turn ahead of it, in double precision; that of no angle above 1e9. */
static float wave(float x, int quarters) {
    const double magic = 6755399441055744.0;
    double turns, r, z, y;
    int quadrant;
    if (!(magnitude(x) < 1e9f)) {
        return x - x + (float)quarters;
    }
    turns = (double)x * 0.63661977236758134 + magic;
    turns -= magic;
    r = (double)x - turns * 1.5707963109016418 - turns * 1.5893254773528196e-8;
    quadrant = (int)((int64_t)turns & 3) + quarters;
    z = r * r;
    if (quadrant & 1) {
        y = 1.0 + z * (-1.0 / 2.0 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0
            + z * (-1.0 / 3628800.0 + z * (1.0 / 479001600.0 + z * (-1.0 / 87178291200.0)))))));
    } else {
        y = r * (1.0 + z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0
            + z * (-1.0 / 39916800.0 + z * (1.0 / 6227020800.0 + z * (-1.0 / 1307674368000.0))))))));
    }
    return (float)(quadrant & 2 ? -y : y);
}",
    ),
    (
        "square_root",
        &["number"],
        "/* The square root by Newton's method in double precision. */
static float square_root(float x) {
    double y;
    int i;
    if (x < 0.0f) {
        return of_bits(0x7fc00000u);
    }
    if (!(x > 0.0f) || x == of_bits(0x7f800000u)) {
        return x;
    }
    y = (double)of_bits((bits_of(x) >> 1) + 0x1fc00000u);
    for (i = 0; i < 40 && y * y != (double)x; i++) {
        double better = 0.5 * (y + (double)x / y);
        if (better == y) {
            break;
        }
        y = better;
    }
    return (float)y;
}",
    ),
    (
        "load",
        &[],
        "static void load(float *r, int y, const float *x, int n) {
    int i;
    for (i = 0; i < n; i++) {
        r[y + i] = x[i];
    }
}",
    ),
    (
        "copy",
        &[],
        "static void copy(float *r, int y, int x, int n) {
    int i;
    for (i = 0; i < n; i++) {
        r[y + i] = r[x + i];
    }
}",
    ),
    (
        "product",
        &[],
        "/* W x, with W column after column: y has n entries, x has m. */
static void product(float *r, int y, int x, const float *w, int n, int m) {
    float *restrict sums = r + y;
    int i, j;
    for (i = 0; i < n; i++) {
        sums[i] = 0.0f;
    }
    for (j = 0; j < m; j++) {
        const float *restrict column = w + j * n;
        float f = r[x + j];
        for (i = 0; i < n; i++) {
            sums[i] += column[i] * f;
        }
    }
}",
    ),
    (
        "add_table",
        &[],
        "static void add_table(float *r, int y, const float *b, int n) {
    int i;
    for (i = 0; i < n; i++) {
        r[y + i] += b[i];
    }
}",
    ),
    (
        "sum",
        &[],
        "static void sum(float *r, int y, int x, int n, float scale) {
    float s = 0.0f;
    int i;
    for (i = 0; i < n; i++) {
        s += r[x + i];
    }
    r[y] = s * scale;
}",
    ),
    (
        "standardise",
        &[],
        "/* (x - mean) / std clipped to 10 on both sides, rounded to single precision at the end. */
static void standardise(float *r, int y, int x, const double *mean, const double *std, int n) {
    int i;
    for (i = 0; i < n; i++) {
        double s = ((double)r[x + i] - mean[i]) / std[i];
        s = s < -10.0 ? -10.0 : s;
        s = s > 10.0 ? 10.0 : s;
        r[y + i] = (float)s;
    }
}",
    ),
    (
        "slide",
        &["copy"],
        "/* A window of some places of n entries with x behind the newest; where it is full, the oldest leaves. */
static void slide(float *r, int y, int window, int x, int seen, int places, int n) {
    int at = (int)r[seen];
    if (at == places) {
        at = places - 1;
        copy(r, y, window + n, at * n);
    } else {
        copy(r, y, window, places * n);
    }
    copy(r, y + at * n, x, n);
}",
    ),
];

/// The functions of each entry: the name, what it needs, the arguments behind the number of entries, and the formula.
const EACH: &[(&str, &str, &[&str], &str)] = &[
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
const BOTH: &[(&str, &str, &str)] = &[
    ("add", "", "a + b"),
    ("sub", "", "a - b"),
    ("mul", "", "a * b"),
    ("div", "", "a / b"),
    ("min", "smaller", "smaller(a, b)"),
    ("max", "larger", "larger(a, b)"),
];

/// Returns the header, the source and the program that checks them.
pub fn write(export: &Export) -> Vec<File> {
    vec![
        File::text("policy.h", header(export)),
        File::text("policy.c", source(export)),
        File::text("policy_check.c", CHECK.into()),
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

/// The program that holds the policy against vectors.
const CHECK: &str = r#"/* Holds the policy against the steps in vectors.csv: prints the largest difference of an action, as a number and in units
   in the last place, and the time of a step. Build it with: cc -std=c99 -O3 policy.c policy_check.c -o policy_check */
#include "policy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef POLICY_NOISE
#define POLICY_NOISE 0
#endif
#define COLUMNS (1 + POLICY_OBSERVATIONS + POLICY_NOISE + POLICY_ACTIONS)

static float rows[4096][COLUMNS];

static int64_t place(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? (int64_t)INT32_MIN - bits : bits;
}

static void step(const float *row, float *action) {
    int k;
    for (k = 0; k < (int)row[0]; k++) {
        policy_reset();
    }
#if POLICY_NOISE > 0
    policy_step(row + 1, row + 1 + POLICY_OBSERVATIONS, action);
#else
    policy_step(row + 1, action);
#endif
}

int main(int argc, char **argv) {
    FILE *file = fopen(argc > 1 ? argv[1] : "vectors.csv", "r");
    float action[POLICY_ACTIONS];
    float largest = 0.0f;
    int64_t ulps = 0;
    long n = 0, steps = 0, t;
    int c, j;
    clock_t start;
    if (file == NULL) {
        fprintf(stderr, "vectors.csv cannot be opened\n");
        return 1;
    }
    while ((c = fgetc(file)) != EOF && c != '\n') {
    }
    while (n < 4096) {
        for (j = 0; j < COLUMNS && fscanf(file, j == 0 ? "%f" : ",%f", &rows[n][j]) == 1; j++) {
        }
        if (j < COLUMNS) {
            break;
        }
        n++;
    }
    fclose(file);
    if (n == 0) {
        fprintf(stderr, "vectors.csv has no steps of this policy\n");
        return 1;
    }
    for (t = 0; t < n; t++) {
        step(rows[t], action);
        for (j = 0; j < POLICY_ACTIONS; j++) {
            float expected = rows[t][1 + POLICY_OBSERVATIONS + POLICY_NOISE + j];
            float difference = action[j] > expected ? action[j] - expected : expected - action[j];
            int64_t apart = place(action[j]) - place(expected);
            if (!(difference <= largest)) {
                largest = difference;
            }
            apart = apart < 0 ? -apart : apart;
            ulps = apart > ulps ? apart : ulps;
        }
    }
    start = clock();
    do {
        for (t = 0; t < n; t++) {
            step(rows[t], action);
        }
        steps += n;
    } while (clock() - start < CLOCKS_PER_SEC / 5);
    printf("steps %ld largest %.9g ulps %lld microseconds %.4g\n", n, (double)largest, (long long)ulps,
           1e6 * (double)(clock() - start) / (double)CLOCKS_PER_SEC / (double)steps);
    return 0;
}
"#;
