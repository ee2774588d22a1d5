//! micro
use s2pg::Rng;
use s2pg::nn::*;
use std::time::Instant;
fn fill(r: usize, c: usize) -> Tensor {
    let mut g = Rng::new(1, "d");
    Tensor::with(r, c, |x| x.iter_mut().for_each(|x| *x = g.normal() as f32))
}
fn time(name: &str, n: usize, mut f: impl FnMut()) {
    if let Some(o) = std::env::args().nth(1) {
        if o != name {
            return;
        }
    }
    let mut best = f64::MAX;
    for _ in 0..2000 {
        let t = Instant::now();
        for _ in 0..20 {
            f();
        }
        best = best.min(t.elapsed().as_secs_f64() / 20.0);
    }
    println!("{name}: {:.2} us, {:.3} ns/element", best * 1e6, best * 1e9 / n as f64);
}
fn main() {
    let only = std::env::args().nth(1);
    let mut rng = Rng::new(0, "x");
    let x = fill(32, 128);
    time("exp", 4096, || {
        x.exp();
    });
    time("tanh", 4096, || {
        x.tanh();
    });
    time("square", 4096, || {
        x.square();
    });
    time("sigmoid", 4096, || {
        x.sigmoid();
    });
    time("ln", 4096, || {
        x.ln();
    });
    time("add", 4096, || {
        let _ = &x + &x;
    });
    let m = fill(32, 128);
    let s = fill(1, 128);
    time("logprob", 4096, || {
        Tensor::gaussian_log_prob(&x, &m, &s);
    });
    let mut b = Builder::<f32>::new(&mut rng);
    let cell = Cell::new(&mut b, "c", CellKind::Gru, 256, 128);
    let l = Linear::new(&mut b, "a", 256, 384, Activation::Relu, Init::FanIn);
    let p = b.finish();
    let e = fill(32, 256);
    let gi = cell.input(&p, &e);
    time("gemm 32x256x384", 4096, || {
        cell.input(&p, &e);
    });
    time("gru step", 4096, || {
        cell.step(&p, &gi, &x);
    });
    let e1 = fill(1, 256);
    time("vec 256x384", 256 * 384, || {
        l.forward(&p, &e1);
    });
    let g1 = fill(1, 384);
    let h1 = fill(1, 128);
    time("gru 1", 128 * 384, || {
        cell.step(&p, &g1, &h1);
    });
    time("normal 134", 134, || {
        for _ in 0..134 {
            std::hint::black_box(rng.normal());
        }
    });
}
