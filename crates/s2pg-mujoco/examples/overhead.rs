//! What an environment costs above its bare simulation: the median ratio of 20 interleaved pairs of runs.

use s2pg::env::{Env, Options};
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, Gym};

const STEPS: usize = 20_000;

/// Seconds of CPU time of this thread, as Linux counts them.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("CPU time is read from Linux's /proc");
    stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).expect("the first number is nanoseconds")
        * 1e-9
}

fn seconds(mut step: impl FnMut(&[f32])) -> f64 {
    let mut rng = Rng::new(0, "overhead");
    let start = cpu();
    for _ in 0..STEPS {
        let a: [f32; 6] = std::array::from_fn(|_| rng.range(-1.0, 1.0) as f32);
        step(&a);
    }
    cpu() - start
}

fn main() {
    let name = "HalfCheetahPOMDP-v3";
    let (mut env, mut bare) = (Gym::new(name, &Options::new()).unwrap(), Bare::new(name).unwrap());
    let (mut rng, mut o, mut s) = (Rng::new(0, "unused"), [0.0; 8], [0.0; 17]);
    let start = env.snapshot();
    let mut pair = || {
        env.restore(&start).unwrap();
        bare.body().restore(&start[..start.len() - 2]);
        let ours = seconds(|a| {
            env.step(a, &mut rng).unwrap();
            env.observe(&mut o, &mut s);
        });
        (ours, seconds(|a| bare.step(a)))
    };
    pair();
    let mut pairs: Vec<_> = (0..20).map(|_| pair()).collect();
    let least = |x: fn(&(f64, f64)) -> f64, pairs: &[(f64, f64)]| pairs.iter().map(x).fold(f64::INFINITY, f64::min);
    let rate = |seconds| STEPS as f64 / seconds / 1000.0;
    println!("{name}: {:.1} k steps/s, bare {:.1}", rate(least(|x| x.0, &pairs)), rate(least(|x| x.1, &pairs)));
    pairs.sort_by(|x, y| (x.0 / x.1).total_cmp(&(y.0 / y.1)));
    println!("ratio {:.3} (median of 20 pairs)", pairs[10].0 / pairs[10].1);
}
