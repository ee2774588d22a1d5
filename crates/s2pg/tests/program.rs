//! A policy that is written down as a program acts as the policy does, to the bit: of every algorithm with every kind
//! of memory and with every core, over episodes that are reset at odd moments. What a program cannot say is refused, or
//! shows beside the policy.

mod runs;

use std::sync::Arc;

use s2pg::Rng;
use s2pg::experiment::player;
use s2pg::nn::{Parameters, Tensor};
use s2pg::policy::{Core, CoreKind, Solver};
use s2pg::train::Player;
use s2pg::train::program::Untraceable;

/// A player with parameters and statistics that differ from those of a new one.
fn changed(experiment: &s2pg::experiment::Experiment, registry: Arc<s2pg::env::Registry>) -> Player {
    let (mut player, _) = player(experiment, registry).unwrap();
    let n = player.spec().o.len();
    let mut rng = Rng::new(1, "changed");
    let model = player.model();
    model.parameters.data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal() as f32);
    if let Some(standardiser) = model.standardiser {
        (0..20).for_each(|_| standardiser.observe(&(0..n).map(|_| 2.0 * rng.normal() as f32).collect::<Vec<_>>()));
    }
    player
}

/// Runs both side by side for 200 steps and returns the first step at which they differ.
fn differs(player: &mut Player) -> Result<Option<usize>, Untraceable> {
    let program = player.program(false)?;
    let (n_o, n_s) = (player.spec().o.len(), player.spec().s.len());
    let (low, high) = (player.spec().low.clone(), player.spec().high.clone());
    assert_eq!((program.observations(), program.actions(), program.noise), (n_o, low.len(), 0));
    let (mut kept, mut rng) = (program.start(), Rng::new(0, "observations"));
    for step in 0..200 {
        if [17, 90, 91].contains(&step) {
            player.reset(0);
            kept = program.start();
        }
        let obs: Vec<f32> = (0..n_o).map(|_| 3.0 * rng.normal() as f32).collect();
        let a = program.step(&mut kept, &obs, &[]);
        let mut expected = player.act(&mut obs.clone(), &mut vec![0.0; n_s], None);
        expected.iter_mut().zip(low.iter().zip(&high)).for_each(|(a, (&low, &high))| *a = a.clamp(low, high));
        if a.iter().zip(&expected).any(|(a, b)| a.to_bits() != b.to_bits()) {
            return Ok(Some(step));
        }
    }
    Ok(None)
}

#[test]
fn a_program_acts_as_its_policy() {
    let mut count = 0;
    let mut varying = Vec::new();
    for (algorithm, estimator, cell) in runs::pairs() {
        let experiment = runs::experiment((algorithm, estimator, cell), "PendulumPOMDP-v1", 1, 60, "");
        match differs(&mut changed(&experiment, runs::registry())) {
            Ok(differs) => assert_eq!(differs, None, "{algorithm} {estimator} {cell}"),
            Err(Untraceable::Varies(what)) => {
                assert!(what.contains("segment"), "{what}");
                varying.push(format!("{algorithm} {estimator}"));
            }
            Err(e) => panic!("{algorithm} {estimator} {cell}: {e}"),
        }
        count += 1;
    }
    varying.dedup();
    println!("{count} pairs, of which these squash at the ends of segments alone: {varying:?}");
}

/// The same of every core that is no cell, with both solvers, and of every kind of network around a core.
#[test]
fn a_program_has_every_core() {
    let kinds = ["shortcut", "simple", "blind", "blindpost", "blindadditive", "post", "additive", "mixed", "mixedraw"];
    for (algorithm, solver) in [("ppo", Solver::Euler), ("td3", Solver::Rk4)] {
        for core in CoreKind::ALL {
            for kind in kinds.iter().filter(|kind| !kind.starts_with("mixed") || core.name() == "cpg") {
                let solver = format!("{solver:?}").to_lowercase();
                let hidden = if kind.starts_with("mixed") { 1 } else { 3 };
                let text = format!(
                    "algorithm = \"{algorithm}\"\nestimator = \"rs\"\nsteps = 100_000\n[env]\nname = \
                     \"PendulumPOMDP-v1\"\n[network]\nfeatures = 4\ncritic_features = 4\nhidden = {hidden}\ncell = \
                     \"{}\"\npolicy = \"{kind}\"\nsolver = \"{solver}\"\ndt = 0.05\n",
                    core.name()
                );
                let experiment = s2pg::experiment::Experiment::parse("core.toml", &text, &[]);
                let experiment = experiment.unwrap_or_else(|e| panic!("{e}\n{text}"));
                let differs = differs(&mut changed(&experiment, runs::registry()));
                assert_eq!(differs, Ok(None), "{algorithm} {kind} {}", core.name());
            }
        }
    }
}

/// A core that computes outside of tensors, or what a program has no step for, as `N` says.
#[derive(Debug)]
struct Odd<const N: usize>(usize);

impl<const N: usize> Core for Odd<N> {
    fn state_size(&self) -> usize {
        self.0
    }

    fn step(&self, _: &Parameters<f32>, inputs: &Tensor, states: &Tensor) -> Tensor {
        let u = inputs.columns(0..self.0);
        match N {
            0 => (states * 0.5 + u).tanh(),
            1 => (states * 0.5 + u.detach()).tanh(),
            2 => (states * 0.5 + Tensor::gaussian_log_prob(&u, states, states)).tanh(),
            _ => {
                let pair = Tensor::stack(&[&u, states]);
                (pair.rows_of(0..u.rows()) + pair.rows_of(u.rows()..2 * u.rows())).tanh()
            }
        }
    }
}

/// What the program of a policy around such a core does in 200 steps.
fn odd(make: s2pg::policy::MakeCore) -> Result<Option<usize>, Untraceable> {
    let registry = Arc::new(s2pg::env::Registry::new().with_core("odd", "odd", make));
    let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 100_000\n[env]\nname = \
                \"PendulumPOMDP-v1\"\n[network]\nfeatures = 4\nhidden = 3\ncell = \"odd\"\n";
    let experiment = s2pg::experiment::Experiment::parse("odd.toml", text, &[]).unwrap();
    differs(&mut changed(&experiment, registry))
}

#[test]
fn what_a_program_cannot_say_is_found() {
    assert_eq!(odd(|_, _, n| Arc::new(Odd::<0>(n))), Ok(None));
    assert!(matches!(odd(|_, _, n| Arc::new(Odd::<1>(n))), Ok(Some(_))), "a constant stands for what it computed");
    let refused = odd(|_, _, n| Arc::new(Odd::<2>(n))).unwrap_err().to_string();
    assert_eq!(refused, "it computes the density of a draw, for which an export has no operation");
    let refused = odd(|_, _, n| Arc::new(Odd::<3>(n))).unwrap_err().to_string();
    assert_eq!(refused, "it makes a matrix of 2 x 3 of what it is shown, and an export has rows only");
}
