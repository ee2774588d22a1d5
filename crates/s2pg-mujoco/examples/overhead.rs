//! What each environment costs above its bare simulation: the median ratio of 20 interleaved pairs of runs.
//!
//! With the name of a task, that task alone.

use s2pg::env::Options;
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, entries, task};

/// Seconds of CPU time of this thread, as Linux counts them.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("CPU time is read from Linux's /proc");
    stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).expect("the first number is nanoseconds")
        * 1e-9
}

fn measure(name: &str) {
    let (mut env, mut bare) = (task(name, &Options::new()).unwrap(), Bare::new(name).unwrap());
    let (mut rng, mut o, mut s) = (Rng::new(0, "unused"), vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    let steps = if name.contains('.') {
        500
    } else if env.spec().s.len() > 100 {
        2_000
    } else {
        10_000
    };
    let mut draw = Rng::new(0, "overhead");
    let (low, high) = (env.spec().low.clone(), env.spec().high.clone());
    let mut action = || low.iter().zip(&high).map(|(&l, &h)| draw.range(l as f64, h as f64) as f32).collect();
    let actions: Vec<Vec<f32>> = (0..steps).map(|_| action()).collect();
    let seconds = |step: &mut dyn FnMut(&[f32])| {
        let start = cpu();
        actions.iter().for_each(|a| step(a));
        cpu() - start
    };
    let start = env.snapshot();
    let mut pair = || {
        env.restore(&start).unwrap();
        let body = bare.body().snapshot_len();
        bare.body().restore(&start[..body]);
        let ours = seconds(&mut |a| {
            env.step(a, &mut rng).unwrap();
            env.observe(&mut o, &mut s);
        });
        (ours, seconds(&mut |a| bare.step(a)))
    };
    pair();
    let mut pairs: Vec<_> = (0..20).map(|_| pair()).collect();
    let least = |x: fn(&(f64, f64)) -> f64, pairs: &[(f64, f64)]| pairs.iter().map(x).fold(f64::INFINITY, f64::min);
    let rate = |seconds| steps as f64 / seconds / 1000.0;
    let rates = (rate(least(|x| x.0, &pairs)), rate(least(|x| x.1, &pairs)));
    pairs.sort_by(|x, y| (x.0 / x.1).total_cmp(&(y.0 / y.1)));
    let ratio = pairs[10].0 / pairs[10].1;
    println!("{name:<28} ratio {ratio:.3}, {:.2} k steps/s, bare {:.2}", rates.0, rates.1);
}

fn main() {
    let name = std::env::args().nth(1);
    let wanted = |entry: &s2pg::env::Entry| name.as_ref().is_none_or(|name| name == entry.name);
    entries().into_iter().filter(wanted).for_each(|entry| measure(entry.name));
}
