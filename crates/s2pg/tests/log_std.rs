//! The log-deviation that is shown is the one that is used, it stays where the reward can bring it back from, and a
//! figure alone never ends a run.

mod runs;

use std::sync::Arc;

use runs::{experiment, training};
use s2pg::algo::figures::deviations;
use s2pg::algo::reinforce::Optimiser;
use s2pg::algo::{Algorithm, Metrics, Ppo, Progress, Schedule, ppo};
use s2pg::data::{Rollout, RolloutShape};
use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Estimator, Experiment};
use s2pg::nn::{Adam, CellKind, Params, Tensor};
use s2pg::plan::Switches;
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Dist, Gaussian, Head, Memory, PolicyKind, StatefulPolicy, Value, ValueShape,
    View,
};
use s2pg::train::{AnyTrainer, Parts, TrainError, Trainer};
use s2pg::{Rng, State, Visitor};

const PPO: &str = "ppo";

fn small(std: f64) -> Actor {
    let head = Head::Gaussian { std, state_std: std };
    let (cell, kind) = (CellKind::Gru, PolicyKind::Shortcut);
    let shape = ActorShape { o: 1, a: 1, a_prev: 0, features: 4, core: CoreShape::cell(cell, 4), kind, head };
    Actor::new(Memory::None, &shape, &mut Rng::new(0, "policy"))
}

fn log_std(policy: &Actor) -> f32 {
    policy.params().data()[policy.params().slot("log_std").range()][0]
}

fn x() -> Context {
    Context::of(Tensor::new(1, 1, &[0.5]))
}

/// Entropies and figures are of the log-deviation that draws and densities use, clipped to [-20, 2].
#[test]
fn what_is_shown_is_what_is_used() {
    for (raw, used) in [(30.0, 2.0), (2.0, 2.0), (-1.0, -1.0), (-25.0, -20.0)] {
        let gaussian = Gaussian::new(Tensor::new(1, 1, &[0.0f32]), Tensor::new(1, 1, &[raw]));
        let dist = Dist { a: gaussian, z: None, h: None };
        let constant = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        assert!((f64::from(dist.entropy().item()) - constant - used).abs() < 1e-5);
        let [(name, std)] = deviations(&dist)[..] else { panic!("one figure") };
        assert!(name == "train/std" && (std - used.exp()).abs() < 1e-6 * used.exp(), "{std}");
    }
}

/// However long an entropy bonus pushes a log-deviation, it is held within [-20, 2], and the first gradients of the
/// reward bring it back.
#[test]
fn a_log_std_comes_back() {
    for (sign, bound, start) in [(-1.0, 2.0, 1.0), (1.0, -20.0, 1e-8)] {
        let mut policy = small(start);
        let mut adam = Adam::new(&policy, 0.05);
        for _ in 0..2000 {
            let loss = policy.dist(&x()).entropy() * sign;
            adam.minimize(&mut policy, &loss);
            assert!((-20.0..=2.0).contains(&log_std(&policy)));
        }
        assert_eq!(log_std(&policy), bound);
        // The reward wants the other direction.
        let mut adam = Adam::new(&policy, 0.05);
        for _ in 0..20 {
            let loss = policy.dist(&x()).entropy() * -sign;
            adam.minimize(&mut policy, &loss);
        }
        assert!((log_std(&policy) - bound).abs() > 0.9, "{}", log_std(&policy));
    }
    // A start beyond the range is a start at its end.
    assert_eq!((log_std(&small(1e9)), log_std(&small(1e-30))), (2.0, -20.0));
}

/// With a bonus of the entropy that is far too large, a run shows deviations of at most e², and goes on.
#[test]
fn an_entropy_bonus_never_ends_a_run() {
    let registry: AlgorithmName = PPO.parse().unwrap();
    let mut experiment = experiment((registry, Estimator::Rs(1), "gru"), "PendulumPOMDP-v1", 2, 4800, "");
    (experiment.ppo.entropy, experiment.ppo.lr) = (1e3.into(), 0.1.into());
    let mut training = training(&experiment, 1);
    let mut most: f64 = 0.0;
    for _ in 0..2400 {
        for (name, x) in training.step().unwrap().unwrap_or_default() {
            if name == "train/std" || name == "train/state_std" {
                most = most.max(x);
            }
        }
    }
    assert!((most - 2f64.exp()).abs() < 1e-4, "{most}");
    let parameters = training.model().parameters;
    let held = parameters.data()[parameters.slot("log_std").range()].iter();
    assert!(held.clone().all(|x| *x <= 2.0) && held.clone().any(|x| *x == 2.0));
}

/// Whatever moves the parameters, be it Adam, a line search or plain ascent, every log-deviation stays in its range.
#[test]
fn every_move_is_held() {
    let all = AlgorithmName::all().into_iter().filter(|algorithm| !algorithm.is_off_policy());
    for (algorithm, optimiser) in all.flat_map(|a| [Optimiser::Adam, Optimiser::Ascent].map(|o| (a, o))) {
        let mut experiment = experiment((algorithm, Estimator::Rs(1), "gru"), "PendulumPOMDP-v1", 2, 4800, "");
        experiment.reinforce.optimiser = optimiser;
        // At the upper end, where about every second move goes beyond.
        (experiment.network.std, experiment.network.state_std) = (2f64.exp(), 2f64.exp());
        let mut training = training(&experiment, 1);
        let mut updates = 0;
        while updates < 5 {
            updates += usize::from(training.step().unwrap().is_some());
        }
        let parameters = training.model().parameters;
        let held = &parameters.data()[parameters.slot("log_std").range()];
        assert!(held.iter().all(|x| *x <= 2.0) && held.iter().any(|x| *x < 2.0), "{algorithm}: {held:?}");
        assert!(held.contains(&2.0), "{algorithm}: {held:?}");
    }
}

/// PPO that returns one figure more.
struct Odd {
    ppo: Ppo<Actor, Value>,
    figure: (&'static str, f64),
}

impl State for Odd {
    fn visit(&mut self, v: &mut dyn Visitor) {
        self.ppo.visit(v);
    }
}

impl Algorithm for Odd {
    type Policy = Actor;
    type Buffer = Rollout;
    fn policy(&self) -> &Actor {
        self.ppo.policy()
    }
    fn policy_mut(&mut self) -> &mut Actor {
        self.ppo.policy_mut()
    }
    fn schedule(&self) -> Schedule {
        self.ppo.schedule()
    }
    fn set_progress(&mut self, now: Progress) {
        self.ppo.set_progress(now);
    }
    fn update(&mut self, data: &mut Rollout, rng: &mut Rng) -> Metrics {
        let mut metrics = self.ppo.update(data, rng);
        metrics.push(self.figure);
        metrics
    }
}

/// A figure that is not finite becomes an empty cell and ends no run; a loss that is not finite does.
#[test]
fn a_figure_alone_ends_no_run() {
    let text = format!(
        "algorithm = \"{PPO}\"\nestimator = \"vanilla\"\nsteps = 100\nppo = {{ steps = 20, minibatch = 10 }}\n\
         [env]\nname = \"PendulumPOMDP-v1\"\n"
    );
    let settings: ppo::Settings = Experiment::parse("x.toml", &text, &[]).unwrap().ppo;
    for (name, ends) in [("train/odd", false), ("train/odd_loss", true)] {
        let make_env = Arc::new(|| Registry::new().make("PendulumPOMDP-v1", &Default::default()));
        let o = make_env().unwrap().spec().o.len();
        let head = Head::Gaussian { std: 1.0, state_std: 1.0 };
        let (cell, kind) = (CellKind::Gru, PolicyKind::Shortcut);
        let shape = ActorShape { o, a: 1, a_prev: 0, features: 4, core: CoreShape::cell(cell, 4), kind, head };
        let policy = Actor::new(Memory::None, &shape, &mut Rng::new(0, "policy"));
        let value =
            ValueShape { view: View::Observation, world: o, z: 0, a_prev: 0, features: 4, gain: 0.01, core: None };
        let value = Value::new(value, &mut Rng::new(0, "value"));
        let mut trainer = Trainer::new(Parts {
            teacher: None,
            algorithm: Odd { ppo: Ppo::new(policy, value, settings.clone(), 1), figure: (name, f64::INFINITY) },
            buffer: Rollout::new(RolloutShape { steps: 20, envs: 1, o, a: 1, ..RolloutShape::default() }),
            make_env,
            steps: 100,
            parallel: 1,
            threads: 1,
            seed: 0,
            standardise: true,
            switches: Switches::default(),
        })
        .unwrap();
        let row = (0..20).map(|_| trainer.step()).find(|step| !matches!(step, Ok(None))).unwrap();
        match row {
            Ok(row) => assert!(!ends && row.unwrap().last().is_some_and(|m| m.0 == name && m.1.is_nan())),
            Err(TrainError::Diverged { what, .. }) => assert!(ends && what == "train/odd_loss is inf", "{what}"),
            Err(other) => panic!("{other}"),
        }
    }
}
