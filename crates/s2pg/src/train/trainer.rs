//! The loop: one route for every transition.

use std::sync::Arc;

use super::divergence::Batch;
use super::recall::Recall;
use super::training::{Episodes, Evaluation, Model, TrainError, Training};
use crate::algo::{Algorithm, Metrics, Schedule};
use crate::data::{Buffer, Transition};
use crate::env::{Env, EnvError, EnvSpec, VecEnv};
use crate::nn::{Params, Standardiser};
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// Makes one more environment of the experiment's kind.
pub type MakeEnv = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// What a [`Trainer`] is made of.
pub struct Parts<A: Algorithm> {
    /// The algorithm, fresh.
    pub algorithm: A,
    /// Its empty buffer.
    pub buffer: A::Buffer,
    /// Makes an environment.
    pub make_env: MakeEnv,
    /// Environments that are stepped together.
    pub parallel: usize,
    /// Threads that step them.
    pub threads: usize,
    /// Of all streams.
    pub seed: u64,
    /// Whether observations are standardised.
    pub standardise: bool,
    /// Whether the previous action is zero at the start of an episode while acting (D13).
    pub reset_prev_action: bool,
    /// Whether the policy remembers its action as it was carried out, clipped (D14).
    pub remember_clipped: bool,
    /// Whether a deterministic evaluation takes the means (D19).
    pub deterministic_means: bool,
}

/// Steps between two rows of figures of an algorithm that updates after every step.
const ROW: usize = 1000;
/// At least as many as any algorithm has figures.
const FIGURES: usize = 32;

/// Sums of the figures of many updates.
#[derive(Clone, Debug)]
struct Figures {
    sums: [f64; FIGURES],
    counts: [u64; FIGURES],
}

impl Figures {
    fn new() -> Self {
        Self { sums: [0.0; FIGURES], counts: [0; FIGURES] }
    }

    fn add(&mut self, names: &[&str], metrics: &Metrics) {
        for (name, x) in metrics {
            let i =
                names.iter().position(|n| n == name).unwrap_or_else(|| panic!("{name} is no figure of the algorithm"));
            // A count is not averaged.
            let counts = *name == "train/n_updates";
            self.sums[i] = if counts { *x } else { self.sums[i] + x };
            self.counts[i] = if counts { 1 } else { self.counts[i] + 1 };
        }
    }

    /// The means since the last call; NaN of what was not seen.
    fn take(&mut self, names: &[&'static str]) -> Metrics {
        let means = names.iter().enumerate().map(|(i, name)| (*name, self.sums[i] / self.counts[i] as f64)).collect();
        *self = Self::new();
        means
    }
}

impl State for Figures {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { sums, counts } = self;
        v.item("sums", Data::F64(sums));
        v.item("counts", Data::U64(counts));
    }
}

/// Policy, environments, and everything that goes on between them.
pub struct Trainer<A: Algorithm> {
    algorithm: A,
    buffer: A::Buffer,
    env: VecEnv,
    standardisers: Option<Standardisers>,
    recall: Recall,
    o: Vec<f32>,
    s: Vec<f32>,
    next_o: Vec<f32>,
    next_s: Vec<f32>,
    explore: Rng,
    learn: Rng,
    steps: usize,
    since_update: usize,
    /// Updates that are due; a part of one where there is less than one for each step.
    owed: f64,
    figures: Figures,
    finished: Episodes,
    make_env: MakeEnv,
    seed: u64,
    threads: usize,
    remember_clipped: bool,
    deterministic_means: bool,
}

/// One for the policy's view, one for the critic's.
#[derive(Clone, Debug)]
struct Standardisers {
    o: Standardiser,
    s: Standardiser,
}

impl Standardisers {
    /// Takes row `i` of both views into the statistics and standardises it in place.
    fn take(&mut self, o: &mut [f32], s: &mut [f32]) {
        self.o.observe(o);
        self.o.apply(o);
        self.s.observe(s);
        self.s.apply(s);
    }
}

impl<A: Algorithm> Trainer<A> {
    /// Resets the environments; the next step is the first.
    pub fn new(parts: Parts<A>) -> Result<Self, EnvError> {
        let envs = (0..parts.parallel).map(|_| (parts.make_env)()).collect::<Result<Vec<_>, _>>()?;
        let mut env = VecEnv::new(envs, parts.seed, parts.threads);
        env.reset_all()?;
        let (n_o, n_s) = (env.spec().o.len(), env.spec().s.len());
        let standardisers =
            parts.standardise.then(|| Standardisers { o: Standardiser::new(n_o), s: Standardiser::new(n_s) });
        let recall = Recall::new(
            env.len(),
            parts.algorithm.policy().memory(),
            n_o,
            env.spec().low.len(),
            parts.reset_prev_action,
        );
        let mut trainer = Self {
            o: env.o().to_vec(),
            s: env.s().to_vec(),
            next_o: vec![0.0; env.len() * n_o],
            next_s: vec![0.0; env.len() * n_s],
            algorithm: parts.algorithm,
            buffer: parts.buffer,
            standardisers,
            recall,
            finished: Episodes::new(&env.env(0).metrics()),
            env,
            explore: Rng::new(parts.seed, "exploration"),
            learn: Rng::new(parts.seed, "batches"),
            steps: 0,
            since_update: 0,
            owed: 0.0,
            figures: Figures::new(),
            make_env: parts.make_env,
            seed: parts.seed,
            threads: parts.threads,
            remember_clipped: parts.remember_clipped,
            deterministic_means: parts.deterministic_means,
        };
        trainer.standardise_all();
        Ok(trainer)
    }

    /// Standardises the first views of all environments.
    fn standardise_all(&mut self) {
        if let Some(standardisers) = &mut self.standardisers {
            let n = self.env.len();
            let (w_o, w_s) = (self.o.len() / n, self.s.len() / n);
            for (o, s) in self.o.chunks_exact_mut(w_o).zip(self.s.chunks_exact_mut(w_s)) {
                standardisers.take(o, s);
            }
        }
    }
}

impl<A: Algorithm> Trainer<A> {
    /// An update, of which every figure is finite.
    fn update(&mut self) -> Result<Metrics, TrainError> {
        let metrics = self.algorithm.update(&mut self.buffer, &mut self.learn);
        let diverged = |what| Err(TrainError::Diverged { step: self.steps, what });
        if let Some((name, value)) = metrics.iter().find(|(_, x)| !x.is_finite()) {
            return diverged(format!("{name} is {value}"));
        }
        if let Some(x) = self.algorithm.policy().params().data().iter().find(|x| !x.is_finite()) {
            return diverged(format!("a parameter of the policy is {x}"));
        }
        Ok(metrics)
    }
}

impl<A: Algorithm> Training for Trainer<A> {
    fn step(&mut self) -> Result<Option<Metrics>, TrainError> {
        // The context, and a draw of u = (a, z').
        let x = self.recall.context(&self.o, &self.s);
        let dist = self.algorithm.policy().dist(&x);
        let drawn = dist.draw(&mut self.explore);
        let u = dist.clip(&drawn);
        let z_next = u.z.as_ref().map_or(&[][..], |z| z.data());
        if let Some(x) = u.a.data().iter().chain(z_next).find(|x| !x.is_finite()) {
            return Err(TrainError::Diverged { step: self.steps, what: format!("the policy drew {x}") });
        }
        let step = self.env.step(u.a.data())?;

        // The true next views, standardised once, and what the policy sees next: the same, or a new episode's first.
        self.next_o.copy_from_slice(&step.next_o);
        self.next_s.copy_from_slice(&step.next_s);
        let n = step.r.len();
        let (w_o, w_s) = (self.o.len() / n, self.s.len() / n);
        let (mut o, mut s) = (step.o.clone(), step.s.clone());
        for e in 0..n {
            let (row_o, row_s) = (e * w_o..(e + 1) * w_o, e * w_s..(e + 1) * w_s);
            if step.dropped[e] {
                self.next_o[row_o.clone()].copy_from_slice(&self.o[row_o.clone()]);
                self.next_s[row_s.clone()].copy_from_slice(&self.s[row_s.clone()]);
            } else if let Some(standardisers) = &mut self.standardisers {
                standardisers.take(&mut self.next_o[row_o.clone()], &mut self.next_s[row_s.clone()]);
            }
            if step.terminated[e] || step.truncated[e] {
                if let Some(standardisers) = &mut self.standardisers {
                    standardisers.take(&mut o[row_o], &mut s[row_s]);
                }
            } else {
                o[row_o.clone()].copy_from_slice(&self.next_o[row_o]);
                s[row_s.clone()].copy_from_slice(&self.next_s[row_s]);
            }
        }

        self.buffer.push(&Transition {
            o: &self.o,
            s: &self.s,
            a_prev: self.recall.a_prev(),
            z: self.recall.z(),
            h: self.recall.h(),
            a: u.a.data(),
            z_next,
            h_next: dist.h.as_ref().map_or(&[], |h| h.data()),
            r: &step.r,
            terminated: &step.terminated,
            truncated: &step.truncated,
            dropped: &step.dropped,
            next_o: &self.next_o,
            next_s: &self.next_s,
        });
        let acting = if self.remember_clipped { &u.a } else { &drawn.a };
        self.recall.remember(&dist, &u, acting, |e| step.terminated[e] || step.truncated[e]);
        for episode in &step.episodes {
            self.finished.add(episode);
        }
        (self.o, self.s) = (o, s);
        self.steps += n;
        self.since_update += n;

        match self.algorithm.schedule() {
            Schedule::OnPolicy { steps } => {
                if self.since_update < steps {
                    return Ok(None);
                }
                self.since_update = 0;
                self.update().map(Some)
            }
            Schedule::Episodes => self.buffer.is_full().then(|| self.update()).transpose(),
            Schedule::OffPolicy { initial, ratio } => {
                if self.buffer.holds_more_than(initial) {
                    self.owed += ratio * n as f64;
                }
                while self.owed >= 1.0 {
                    self.owed -= 1.0;
                    let metrics = self.update()?;
                    self.figures.add(self.algorithm.figures(), &metrics);
                }
                let due = self.steps / ROW > (self.steps - n) / ROW;
                Ok(due.then(|| self.figures.take(self.algorithm.figures())))
            }
        }
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn episodes(&self) -> &Episodes {
        &self.finished
    }

    fn unstable(&self) -> usize {
        self.env.unstable()
    }

    fn restart(&mut self) -> Result<(), EnvError> {
        self.env.restart()?;
        self.o.copy_from_slice(self.env.o());
        self.s.copy_from_slice(self.env.s());
        self.standardise_all();
        self.recall.forget();
        self.buffer.cut();
        Ok(())
    }

    fn evaluate(&self, episodes: usize, deterministic: bool, stream: &str) -> Result<Evaluation, EnvError> {
        let mut rng = Rng::new(self.seed, stream);
        let envs = (0..episodes).map(|_| (self.make_env)()).collect::<Result<Vec<_>, _>>()?;
        let mut env = VecEnv::new(envs, rng.bits(), self.threads);
        env.reset_all()?;
        let policy = self.algorithm.policy();
        let means = deterministic && self.deterministic_means;
        let (n_o, n_a) = (env.spec().o.len(), env.spec().low.len());
        let mut recall = Recall::new(episodes, policy.memory(), n_o, n_a, true);
        let (mut o, mut s) = (env.o().to_vec(), env.s().to_vec());
        let (w_o, w_s) = (o.len() / episodes, s.len() / episodes);
        let mut results = vec![None; episodes];
        while results.iter().any(Option::is_none) {
            if let Some(Standardisers { o: for_o, s: for_s }) = &self.standardisers {
                o.chunks_exact_mut(w_o).for_each(|o| for_o.apply(o));
                s.chunks_exact_mut(w_s).for_each(|s| for_s.apply(s));
            }
            let dist = policy.dist(&recall.context(&o, &s));
            let u = if means { dist.mean() } else { dist.sample(&mut rng) };
            let step = env.step(u.a.data())?;
            recall.remember(&dist, &u, &u.a, |e| step.terminated[e] || step.truncated[e]);
            for episode in &step.episodes {
                results[episode.env].get_or_insert_with(|| episode.clone());
            }
            o.copy_from_slice(&step.o);
            s.copy_from_slice(&step.s);
        }
        Ok(Evaluation { episodes: results.into_iter().flatten().collect() })
    }

    fn watch(&self, stream: &str, see: &mut dyn FnMut(&dyn Env, f64) -> bool) -> Result<(), EnvError> {
        let mut rng = Rng::new(self.seed, stream);
        let mut env = (self.make_env)()?;
        env.reset(&mut rng)?;
        let policy = self.algorithm.policy();
        let spec = env.spec().clone();
        let mut recall = Recall::new(1, policy.memory(), spec.o.len(), spec.low.len(), true);
        let (mut o, mut s) = (vec![0.0; spec.o.len()], vec![0.0; spec.s.len()]);
        let mut r = 0.0;
        while see(&*env, r) {
            env.observe(&mut o, &mut s);
            if let Some(Standardisers { o: for_o, s: for_s }) = &self.standardisers {
                for_o.apply(&mut o);
                for_s.apply(&mut s);
            }
            let dist = policy.dist(&recall.context(&o, &s));
            let u = dist.mean();
            let outcome = env.step(u.a.data(), &mut rng)?;
            recall.remember(&dist, &u, &u.a, |_| false);
            r += outcome.r;
            if outcome.terminated || outcome.truncated {
                see(&*env, r);
                break;
            }
        }
        Ok(())
    }

    fn batch(&mut self) -> Batch {
        Batch(self.buffer.batch())
    }

    fn buffer_bytes(&mut self) -> usize {
        self.buffer.bytes()
    }

    fn model(&mut self) -> Model<'_> {
        Model {
            parameters: self.algorithm.policy_mut().params_mut(),
            standardiser: self.standardisers.as_mut().map(|s| &mut s.o),
        }
    }

    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn check(&mut self) -> Result<(), EnvError> {
        self.env.check()
    }
}

impl<A: Algorithm> State for Trainer<A> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self {
            algorithm,
            buffer,
            env,
            standardisers,
            recall,
            o,
            s,
            next_o: _,
            next_s: _,
            explore,
            learn,
            steps,
            since_update,
            owed,
            figures,
            finished,
            make_env: _,
            seed: _,
            threads: _,
            remember_clipped: _,
            deterministic_means: _,
        } = self;
        v.child("algorithm", algorithm);
        v.child("buffer", buffer);
        v.child("env", env);
        if let Some(Standardisers { o, s }) = standardisers {
            v.child("standardiser_o", o);
            v.child("standardiser_s", s);
        }
        v.child("recall", recall);
        v.item("o", Data::F32(o));
        v.item("s", Data::F32(s));
        v.child("explore", explore);
        v.child("learn", learn);
        v.count("steps", steps);
        v.count("since_update", since_update);
        v.number("owed", owed);
        v.child("figures", figures);
        v.child("episodes", finished);
    }
}
