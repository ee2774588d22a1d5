//! A central pattern generator: coupled oscillators with phase and amplitude.

use std::f64::consts::PI;

use super::coupling::OffDiagonal;
use crate::nn::{Builder, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::{Clock, Dynamics};

/// n coupled oscillators (the paper's policy made of differential equations), whose state is [ψ, r, ṙ]: ψ̇_i = 2π v_i +
/// Σ_j r_j w_ij sin(ψ_j − ψ_i − φ_ij) and r̈_i = c_i (c_i / 4 (b_i − r_i) − ṙ_i). They read no input.
///
/// Each of v, b, c, w and φ is M σ(θ / M) of a parameter θ, with an M of its own, so that frequencies lie below 5 Hz
/// and amplitudes below 2. A network reads what they emit, r cos ψ; a critic reads [r sin ψ, r cos ψ, ṙ].
#[derive(Clone, Debug)]
pub struct Cpg {
    n: usize,
    v: usize,
    b: usize,
    c: usize,
    /// The matrices w and φ, where there is more than one oscillator.
    coupling: Option<[OffDiagonal; 2]>,
}

/// The largest v, in Hz, b, c, w and φ.
const MOST: [f64; 5] = [5.0, 2.0, 10.0, 1.0, 2.0 * PI];
/// The steps for which the phases are given room: the horizon of all tasks that were published.
const HORIZON: usize = 1000;

/// Returns M σ(x / M).
fn within<T: Real>(x: &Tensor<T>, most: f64) -> Tensor<T> {
    (x * (1.0 / most)).sigmoid() * most
}

impl Cpg {
    /// Makes `n` oscillators, whose parameters are drawn by `b` as published.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, n: usize) -> Self {
        let mut row = |name: &str, mean: f64, std: f64| b.drawn(name, (1, n), |rng| mean + std * rng.normal());
        let (v, amplitude, c) = (row("v", 0.05, 0.01), row("b", 0.1, 0.1), row("c", 2.0, 0.1));
        let mut matrix = |name: &str| OffDiagonal::new(b, name, n, |rng| 0.1 + 0.05 * rng.normal());
        let (w, phi) = (matrix("w"), matrix("phi"));
        Self { n, v, b: amplitude, c, coupling: w.zip(phi).map(|(w, phi)| [w, phi]) }
    }

    /// Returns the frequencies v in Hz, the amplitudes b and the rates c, each [1, n].
    pub fn effective<T: Real>(&self, p: &Parameters<T>) -> [Tensor<T>; 3] {
        let read = |slot, most| within(&Tensor::param(p, slot), most);
        [read(self.v, MOST[0]), read(self.b, MOST[1]), read(self.c, MOST[2])]
    }

    /// Returns the parameters of which the amplitudes b are made, [1, n].
    pub(in crate::policy::bodies) fn raw_amplitudes<T: Real>(&self, p: &Parameters<T>) -> Tensor<T> {
        Tensor::param(p, self.b)
    }

    /// Returns the strengths w and the lags φ of all pairs, each [n, n]; None where there is one oscillator.
    pub fn couplings<T: Real>(&self, p: &Parameters<T>) -> Option<[Tensor<T>; 2]> {
        let [w, phi] = self.coupling.as_ref()?;
        Some([w.matrix(p, |x| within(&x, MOST[3])), phi.matrix(p, |x| within(&x, MOST[4]))])
    }

    /// Returns the columns of states that are ψ, r and ṙ, each [B, n].
    fn parts<T: Real>(&self, z: &Tensor<T>) -> [Tensor<T>; 3] {
        let n = self.n;
        [0, 1, 2].map(|i| z.columns(i * n..(i + 1) * n))
    }

    /// Returns r, r sin ψ, r cos ψ and ṙ of states, each [B, n].
    pub(in crate::policy::bodies) fn waves<T: Real>(&self, z: &Tensor<T>) -> [Tensor<T>; 4] {
        let [psi, r, rd] = self.parts(z);
        [r.clone(), &r * psi.sin(), r * psi.cos(), rd]
    }
}

/// Returns r̈ for the rate c and the amplitude b.
fn acceleration<T: Real>(c: &Tensor<T>, b: &Tensor<T>, r: &Tensor<T>, rd: &Tensor<T>) -> Tensor<T> {
    c * (c * 0.25 * (b - r) - rd)
}

impl<T: Real> Dynamics<T> for Cpg {
    fn state_size(&self) -> usize {
        3 * self.n
    }

    fn rate(&self, p: &Parameters<T>, _: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let [psi, r, rd] = self.parts(z);
        let [v, b, c] = self.effective(p);
        let own = Tensor::zeros(z.rows(), self.n) + v * (2.0 * PI);
        let psid = match self.couplings(p) {
            None => own,
            Some([w, phi]) => {
                // sin(ψ_j − ψ_i − φ_ij), taken apart so that the sum over j is a product of matrices.
                let (sin, cos) = (psi.sin(), psi.cos());
                let (r_sin, r_cos) = (&r * &sin, &r * &cos);
                let (w_sin, w_cos) = (&w * phi.sin(), &w * phi.cos());
                let with_cos = r_sin.product(&w_cos) - r_cos.product(&w_sin);
                let with_sin = r_cos.product(&w_cos) + r_sin.product(&w_sin);
                own + cos * with_cos - sin * with_sin
            }
        };
        Tensor::concat(&[&psid, &rd, &acceleration(&c, &b, &r, &rd)])
    }

    fn output_size(&self) -> usize {
        self.n
    }

    fn output(&self, z: &Tensor<T>) -> Tensor<T> {
        let [psi, r, _] = self.parts(z);
        r * psi.cos()
    }

    fn critic_size(&self) -> usize {
        3 * self.n
    }

    fn for_critic(&self, z: &Tensor<T>) -> Tensor<T> {
        let [_, r_sin, r_cos, rd] = self.waves(z);
        Tensor::concat(&[&r_sin, &r_cos, &rd])
    }

    /// What can be reached in 1,000 steps, as published: the phases with the largest frequency and coupling, amplitudes
    /// from 0 to the largest, and as ṙ what the largest b and c make of an oscillator at rest.
    fn ranges(&self, clock: Clock) -> Vec<(f64, f64)> {
        let [v, b, c, w, _] = MOST;
        let coupled = w * b * self.n as f64;
        let turned = HORIZON as f64 * clock.dt * 2.0 * PI * v;
        let (c, b_row) = (Tensor::<f64>::scalar(c), Tensor::scalar(b));
        let mut z = Tensor::zeros(1, 2);
        let mut fastest = 0.0f64;
        for _ in 0..HORIZON {
            let rate = |z: &Tensor<f64>| {
                let (r, rd) = (z.columns(0..1), z.columns(1..2));
                Tensor::concat(&[&rd, &acceleration(&c, &b_row, &r, &rd)])
            };
            z = clock.step(&z, rate).detach();
            // An explicit step that is too long makes ṙ grow without end.
            fastest = fastest.max(z.data()[1]).min(f64::from(f32::MAX));
        }
        let of = |range| std::iter::repeat_n(range, self.n);
        of((-coupled, turned + coupled)).chain(of((0.0, b))).chain(of((-fastest, fastest))).collect()
    }
}
