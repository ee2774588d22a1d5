use s2pg::train::*;
use std::sync::Arc;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 200000\n[env]\nname = \"TMaze-v0\"\n";
    let e = Experiment::parse("x", text, &args).unwrap();
    let mut t = build(&e, Arc::new(s2pg::env::Registry::new()), 1).unwrap();
    let clock = std::time::Instant::now();
    let mut last = 0;
    while t.steps() < e.steps {
        if let Some(m) = t.step().unwrap() {
            if t.steps() - last >= e.steps / 20 {
                last = t.steps();
                println!(
                    "{} {:?} {:.2}s kl {:.4} std {:.3}",
                    t.steps(),
                    t.episodes().mean_return(),
                    clock.elapsed().as_secs_f64(),
                    m.iter().find(|m| m.0 == "train/approx_kl").unwrap().1,
                    m.iter().find(|m| m.0 == "train/std").unwrap().1
                );
            }
        }
    }
    for det in [false, true] {
        println!("{det} {:?}", t.evaluate(10, det, "evaluation").unwrap().mean_return());
    }
}
