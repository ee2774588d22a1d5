//! The loop of training, in which every transition takes the same route.

use super::any_trainer::{AnyTrainer, Batch, TrainError};
use super::evaluation::{Evaluation, RecentEpisodes, evaluate_unless};
use super::player::{Model, Player, Senses};
use super::teacher::Teacher;
use crate::algo::{Algorithm, Metrics, Progress, Schedule};
use crate::data::{Buffer, Transition};
use crate::env::{EnvError, EnvSpec, MakeEnv, VecEnv};
use crate::nn::Params;
use crate::plan::Switches;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// The parts that a [`Trainer`] is made of.
pub struct Parts<A: Algorithm> {
    /// The untrained algorithm.
    pub algorithm: A,
    /// The empty buffer of the algorithm.
    pub buffer: A::Buffer,
    /// A function that makes an environment.
    pub make_env: MakeEnv,
    /// Environment steps of the whole run, which schedules of the algorithm follow.
    pub steps: usize,
    /// Number of environments that are stepped together.
    pub parallel: usize,
    /// Number of threads that step the environments.
    pub threads: usize,
    /// A policy that says what it would do in each step; None where nobody does.
    pub teacher: Option<Teacher>,
    /// Seed of every random stream.
    pub seed: u64,
    /// Whether observations are standardised.
    pub standardise: bool,
    /// The deviations of the published code that are repeated.
    pub switches: Switches,
}

/// Environment steps between two rows of figures of an off-policy algorithm.
const ROW: usize = 1000;
/// Room for figures; no algorithm has more.
const FIGURES: usize = 32;

/// Sums over many updates of the figures of an off-policy algorithm.
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
            // The number of updates is not averaged: the last one counts.
            let counts = *name == "train/n_updates";
            if !x.is_finite() {
                continue;
            }
            self.sums[i] = if counts { *x } else { self.sums[i] + x };
            self.counts[i] = if counts { 1 } else { self.counts[i] + 1 };
        }
    }

    /// Returns the means of the figures since the last call; NaN for a figure that no update returned as a finite
    /// number.
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

/// The training of one algorithm: the algorithm, its buffer, the environments, and the loop between them.
pub struct Trainer<A: Algorithm> {
    algorithm: A,
    buffer: A::Buffer,
    env: VecEnv,
    senses: Senses,
    teacher: Option<Teacher>,
    o: Vec<f32>,
    s: Vec<f32>,
    next_o: Vec<f32>,
    next_s: Vec<f32>,
    explore: Rng,
    learn: Rng,
    steps: usize,
    /// Environment steps of the whole run.
    last: usize,
    since_update: usize,
    /// The number of updates that are due; a fraction where there is less than one update for each step.
    owed: f64,
    figures: Figures,
    finished: RecentEpisodes,
    make_env: MakeEnv,
    seed: u64,
    threads: usize,
    switches: Switches,
}

impl<A: Algorithm> Trainer<A> {
    /// Makes a trainer and resets the environments; the next step is the first. An error is an environment's.
    pub fn new(parts: Parts<A>) -> Result<Self, EnvError> {
        let envs = (0..parts.parallel).map(|_| (parts.make_env)()).collect::<Result<Vec<_>, _>>()?;
        let mut env = VecEnv::new(envs, parts.seed, parts.threads)?;
        env.reset_all()?;
        let memory = parts.algorithm.policy().memory();
        let standardise = parts.standardise.then(|| parts.buffer.keeps_raw_views());
        let keep = parts.switches.keep_prev_action;
        let senses = Senses::new(env.len(), memory, env.spec(), standardise, keep, parts.seed);
        let mut trainer = Self {
            o: env.o().to_vec(),
            s: env.s().to_vec(),
            next_o: env.o().to_vec(),
            next_s: env.s().to_vec(),
            algorithm: parts.algorithm,
            buffer: parts.buffer,
            senses,
            teacher: parts.teacher,
            finished: RecentEpisodes::new(&env.metrics()?),
            env,
            explore: Rng::new(parts.seed, "exploration"),
            learn: Rng::new(parts.seed, "batches"),
            steps: 0,
            last: parts.steps,
            since_update: 0,
            owed: 0.0,
            figures: Figures::new(),
            make_env: parts.make_env,
            seed: parts.seed,
            threads: parts.threads,
            switches: parts.switches,
        };
        trainer.take_first_views();
        Ok(trainer)
    }

    /// Takes the first views of all environments into the statistics.
    fn take_first_views(&mut self) {
        let n = self.env.len();
        let (w_o, w_s) = (self.o.len() / n, self.s.len() / n);
        for e in 0..n {
            self.senses.take(&mut self.o[e * w_o..(e + 1) * w_o], &mut self.s[e * w_s..(e + 1) * w_s]);
        }
    }
}

impl<A: Algorithm> Trainer<A> {
    /// Runs one update of the algorithm. A loss or a parameter that is not finite is an error. Any other figure only
    /// describes the update: where it is not finite it becomes NaN, which is logged as an empty cell.
    fn update(&mut self) -> Result<Metrics, TrainError> {
        self.algorithm.set_progress(Progress { steps: self.steps, of: self.last });
        if let Some((o, s)) = self.senses.statistics() {
            self.buffer.standardise(o, s);
        }
        let mut metrics = self.algorithm.update(&mut self.buffer, &mut self.learn);
        let diverged = |what| Err(TrainError::Diverged { step: self.steps, what });
        for (name, x) in metrics.iter_mut().filter(|(_, x)| !x.is_finite()) {
            if name.ends_with("loss") {
                return diverged(format!("{name} is {x}"));
            }
            *x = f64::NAN;
        }
        if let Some(x) = self.algorithm.policy().params().data().iter().find(|x| !x.is_finite()) {
            return diverged(format!("a parameter of the policy is {x}"));
        }
        Ok(metrics)
    }
}

impl<A: Algorithm> AnyTrainer for Trainer<A> {
    fn step(&mut self) -> Result<Option<Metrics>, TrainError> {
        // Make the context x, and draw u = (a, z').
        if self.buffer.is_nearly_full() {
            self.senses.recall.close();
        }
        let dist = self.senses.dist(self.algorithm.policy(), &self.o, &self.s);
        let drawn = dist.draw(&mut self.explore);
        let u = dist.clip(&drawn);
        let z_next = u.z.as_ref().map_or(&[][..], |z| z.data());
        if let Some(x) = u.a.data().iter().chain(z_next).find(|x| !x.is_finite()) {
            return Err(TrainError::Diverged { step: self.steps, what: format!("the policy drew {x}") });
        }
        let advice = self.teacher.as_mut().map(|teacher| teacher.advise(self.env.o(), self.env.s()));
        let step = self.env.step(u.a.data())?;

        // Take in the true next views once. What the policy sees next are the same views, or the first of a new
        // episode.
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
            } else {
                self.senses.take(&mut self.next_o[row_o.clone()], &mut self.next_s[row_s.clone()]);
            }
            if step.terminated[e] || step.truncated[e] {
                self.senses.take(&mut o[row_o], &mut s[row_s]);
            } else {
                o[row_o.clone()].copy_from_slice(&self.next_o[row_o]);
                s[row_s.clone()].copy_from_slice(&self.next_s[row_s]);
            }
        }

        let h_next = dist.h.as_ref().map_or(&[][..], |h| h.data());
        self.buffer.push(&Transition {
            o: &self.o,
            s: &self.s,
            a_prev: self.senses.recall.a_prev(),
            z: self.senses.recall.z(),
            h: self.senses.recall.h(),
            a: u.a.data(),
            z_next: if z_next.is_empty() { h_next } else { z_next },
            h_next,
            advice: advice.as_deref().unwrap_or_default(),
            r: &step.r,
            terminated: &step.terminated,
            truncated: &step.truncated,
            dropped: &step.dropped,
            closes: self.senses.recall.closes(),
            next_o: &self.next_o,
            next_s: &self.next_s,
        });
        let acting = if self.switches.remember_unclipped_action { &drawn.a } else { &u.a };
        self.senses.recall.remember(&dist, &u, acting);
        for e in (0..n).filter(|&e| step.terminated[e] || step.truncated[e]) {
            self.senses.recall.reset(e);
            self.teacher.iter_mut().for_each(|teacher| teacher.reset(e));
        }
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
                if self.buffer.forget_failures() {
                    return Ok(None);
                }
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

    fn episodes(&self) -> &RecentEpisodes {
        &self.finished
    }

    fn unstable(&self) -> usize {
        self.env.unstable()
    }

    fn restart(&mut self) -> Result<(), EnvError> {
        self.env.reset_all()?;
        self.o.copy_from_slice(self.env.o());
        self.s.copy_from_slice(self.env.s());
        self.take_first_views();
        self.senses.recall.forget();
        for e in 0..self.env.len() {
            self.teacher.iter_mut().for_each(|teacher| teacher.reset(e));
        }
        self.buffer.cut();
        Ok(())
    }

    fn evaluate_unless(
        &self,
        interrupt: &dyn Fn() -> bool,
        episodes: usize,
        deterministic: bool,
        stream: &str,
    ) -> Result<Option<Evaluation>, EnvError> {
        let player = Player::new(self.algorithm.policy().clone(), self.senses.clone(), self.env.spec());
        let means = deterministic && !self.switches.sample_in_evaluation;
        let rng = &mut Rng::new(self.seed, stream);
        let evaluation = evaluate_unless(interrupt, &player, &self.make_env, (episodes, self.threads), means, rng)?;
        // Every evaluation has the columns of the training.
        Ok(evaluation.map(|e| Evaluation { own: self.finished.own().into(), ..e }))
    }

    fn batch(&mut self) -> Batch {
        Batch(self.buffer.batch())
    }

    fn buffer_bytes(&mut self) -> usize {
        self.buffer.bytes()
    }

    fn model(&mut self) -> Model<'_> {
        self.senses.model(self.algorithm.policy_mut())
    }

    fn teacher(&mut self) -> Option<Model<'_>> {
        self.teacher.as_mut().map(Teacher::model)
    }

    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn notes(&self) -> Vec<String> {
        let EnvSpec { name, horizon, .. } = self.env.spec();
        let overran = self.env.overran().then(|| {
            format!("{name}: an episode went on beyond the horizon of {horizon} steps; all are truncated there")
        });
        let left_out = self.finished.left_out().map(|figure| {
            format!(
                "{name}: the figure `{}` is left out, because it was not there after the first reset or cannot head a \
                 column",
                figure.escape_debug()
            )
        });
        let unsaved = (!self.env.can_be_saved()).then(|| {
            format!(
                "{name}: the environment cannot be saved within an episode, so a run that is stopped goes on with new \
                 episodes, and not to the bit"
            )
        });
        overran.into_iter().chain(left_out).chain(unsaved).collect()
    }

    fn can_be_saved(&self) -> bool {
        self.env.can_be_saved()
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
            senses,
            teacher,
            o,
            s,
            next_o: _,
            next_s: _,
            explore,
            learn,
            steps,
            last: _,
            since_update,
            owed,
            figures,
            finished,
            make_env: _,
            seed: _,
            threads: _,
            switches: _,
        } = self;
        v.child("algorithm", algorithm);
        v.child("buffer", buffer);
        v.child("env", env);
        senses.visit(v);
        if let Some(teacher) = teacher {
            v.child("teacher", teacher);
        }
        // Raw views have names of their own, so that none is taken for a standardised one.
        let [name_o, name_s] = if senses.late().is_some() { ["raw_o", "raw_s"] } else { ["o", "s"] };
        v.item(name_o, Data::F32(o));
        v.item(name_s, Data::F32(s));
        v.child("explore", explore);
        v.child("learn", learn);
        v.count("steps", steps);
        v.count("since_update", since_update);
        v.number("owed", owed);
        v.child("figures", figures);
        v.child("episodes", finished);
    }
}
