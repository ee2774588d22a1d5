use s2pg::Rng;
use s2pg::nn::*;
use s2pg::policy::*;
use std::time::Instant;
fn main() {
    let mut rng = Rng::new(0, "x");
    let mut fill = |r: usize, c: usize| {
        let mut g = Rng::new(1, "d");
        Tensor::with(r, c, |x| x.iter_mut().for_each(|x| *x = g.normal() as f32))
    };
    // gemm peak
    for n in [256usize, 512, 1024] {
        let mut b = Builder::<f32>::new(&mut rng);
        let l = Linear::new(&mut b, "a", n, n, Activation::Identity, Init::FanIn);
        let p = b.finish();
        let x = fill(n, n);
        let mut best = f64::MAX;
        for _ in 0..10 {
            let t = Instant::now();
            let k = 4;
            for _ in 0..k {
                l.forward(&p, &x);
            }
            best = best.min(t.elapsed().as_secs_f64() / k as f64);
        }
        println!("{n}: {:.1} GFLOP/s", 2.0 * (n as f64).powi(3) / best / 1e9);
    }
    let shape = ActorShape { o: 8, a: 6, features: 128, hidden: 128, cell: CellKind::Gru, std: 0.5, state_std: 0.5 };
    let mut actor: Actor = Actor::stochastic(&shape, &mut rng);
    let mut value: Value =
        Value::new(ValueShape { view: View::Observation, world: 8, z: 128, a_prev: 6, features: 128 }, &mut rng);
    let (mut pa, mut va) = (Adam::new(&actor, 1e-6), Adam::new(&value, 1e-6));
    for bsz in [32usize, 512] {
        let x = Context {
            o: fill(bsz, 8),
            s: None,
            a_prev: Some(fill(bsz, 6)),
            z: Some(fill(bsz, 128)),
            h: None,
            lengths: None,
        };
        let u = Extended { a: fill(bsz, 6), z: Some(fill(bsz, 128)) };
        let old = actor.dist(&x).log_prob(&u).joint().detach();
        let adv = fill(bsz, 1);
        let tgt = fill(bsz, 1);
        let mut bests = [f64::MAX; 3];
        for _ in 0..400 {
            let t = Instant::now();
            let lp = actor.dist(&x).log_prob(&u).joint();
            let loss = s2pg::algo::ppo::surrogate(&lp, &old, &adv, 0.2);
            let t1 = t.elapsed().as_secs_f64();
            pa.minimize(&mut actor, &loss);
            let t2 = t.elapsed().as_secs_f64();
            let l = (value.value(&x, None) - &tgt).square().mean();
            va.minimize(&mut value, &l);
            let t3 = t.elapsed().as_secs_f64();
            bests[0] = bests[0].min(t1);
            bests[1] = bests[1].min(t2 - t1);
            bests[2] = bests[2].min(t3 - t2);
        }
        let tot: f64 = bests.iter().sum();
        let flop = bsz as f64 * 3.0 * (303.6e3 + 69.4e3);
        println!(
            "b{bsz}: fwd {:.3} bwd+adam {:.3} value {:.3} total {:.3} ms, {:.1} GFLOP/s",
            bests[0] * 1e3,
            bests[1] * 1e3,
            bests[2] * 1e3,
            tot * 1e3,
            flop / tot / 1e9
        );
    }
    let x = Context { o: fill(1, 8), s: None, a_prev: Some(fill(1, 6)), z: Some(fill(1, 128)), h: None, lengths: None };
    let mut best = f64::MAX;
    for _ in 0..50 {
        let t = Instant::now();
        for _ in 0..50 {
            let _ = actor.dist(&x).sample(&mut rng);
        }
        best = best.min(t.elapsed().as_secs_f64() / 50.0);
    }
    println!("act {:.2} us", best * 1e6);
}
