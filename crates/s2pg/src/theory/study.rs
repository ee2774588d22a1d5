//! One comparison of estimators, for a task, a policy, a strength of the policy's recurrence and a horizon.

use super::bounds::Constants;
use super::estimators::{
    Estimator, Gradients, Kernel, Measured, Reference, Rollouts, Trajectory, measure, met, roll_out,
};
use super::linear_gaussian::LinearGaussian;
use super::subject::{Subject, SubjectShape};
use super::world::MakeWorld;
use crate::env::EnvError;
use crate::rng::Rng;

/// A comparison of estimators: trajectories of one policy under both kernels, with the same noise of the world and of
/// the action.
pub struct Study {
    subject: Subject,
    strength: f64,
    plan: Rollouts,
    paths: [Vec<Trajectory>; 2],
    constants: [Constants; 2],
    exact: [Option<Vec<f64>>; 2],
}

fn index(kernel: Kernel) -> usize {
    match kernel {
        Kernel::Stochastic => 0,
        Kernel::Deterministic => 1,
    }
}

impl Study {
    /// Makes the policy and rolls it out in the worlds that `make` makes. `linear` is the task where that is the
    /// linear-Gaussian task: the exact gradients of a policy of one linear unit are known there. An error is an error
    /// of a world.
    pub fn new(
        shape: &SubjectShape,
        make: MakeWorld,
        linear: Option<&LinearGaussian>,
        plan: Rollouts,
    ) -> Result<Self, EnvError> {
        let start = typical_start(make, plan.seed)?;
        let subject = Subject::new(shape, &start, &mut Rng::new(plan.seed, "policy"));
        let roll = |kernel| roll_out(&subject, make, kernel, &plan);
        let paths = [roll(Kernel::Stochastic)?, roll(Kernel::Deterministic)?];
        let constants = [0, 1].map(|k| met(&subject, subject.trained(), &paths[k], plan.gamma));
        let exact = [shape.state_std.powi(2), 0.0].map(|upsilon| {
            let task = LinearGaussian { sigma: shape.std.powi(2), upsilon, gamma: plan.gamma, ..linear?.clone() };
            subject.exact(&task, plan.horizon)
        });
        let strength = subject.strength(&start);
        Ok(Self { subject, strength, plan, paths, constants, exact })
    }

    /// Returns the strength of the recurrence that was reached; [`Subject::new`] defines it.
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// Returns the number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.subject.trained().len()
    }

    /// Returns the constants of Assumptions 3.1 to 3.3, as met on the trajectories of the kernel.
    pub fn constants(&self, kernel: Kernel) -> &Constants {
        &self.constants[index(kernel)]
    }

    /// Returns the mean of G² over the trajectories of the kernel.
    pub fn squared_return(&self, kernel: Kernel) -> f64 {
        let paths = &self.paths[index(kernel)];
        paths.iter().map(|path| path.g * path.g).sum::<f64>() / paths.len() as f64
    }

    /// Returns the estimates from each trajectory of the kernel.
    pub fn estimate(&self, kernel: Kernel, estimator: Estimator) -> Gradients {
        let paths = &self.paths[index(kernel)];
        Gradients::new(&self.subject, self.subject.trained(), paths, estimator, self.plan.threads)
    }

    /// Tells whether the gradient of the kernel's objective is known exactly.
    pub fn is_exact(&self, kernel: Kernel) -> bool {
        self.exact[index(kernel)].is_some()
    }

    /// Measures estimates of the kernel's gradient against the exact gradient. Where no exact gradient is known, the
    /// reference is `full`, the estimates of BPTT through whole trajectories of the same kernel.
    pub fn measure(&self, kernel: Kernel, estimates: &Gradients, full: &Gradients) -> Measured {
        let k = index(kernel);
        let reference = self.exact[k].as_deref().map_or(Reference::Paired(full), Reference::Exact);
        measure(estimates, &self.paths[k], reference)
    }
}

/// Returns the mean observation at the start of 100 episodes.
fn typical_start(make: MakeWorld, seed: u64) -> Result<Vec<f64>, EnvError> {
    let mut world = make()?;
    let (n, _) = world.sizes();
    let (mut o, mut mean) = (vec![0.0; n], vec![0.0; n]);
    let mut rng = Rng::new(seed, "starts");
    for _ in 0..100 {
        world.reset(&mut rng)?;
        world.observe(&mut o);
        mean.iter_mut().zip(&o).for_each(|(mean, o)| *mean += o / 100.0);
    }
    Ok(mean)
}
