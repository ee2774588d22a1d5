//! The functions that a policy in C99 calls, as their texts.

/// The functions of the source: the name of each, what it needs, and its text. One that needs another stands behind it.
pub(super) const FUNCTIONS: &[(&str, &[&str], &str)] = &[
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
