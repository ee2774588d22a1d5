//! One comparison of estimators, for a task, a policy, a strength of the policy's recurrence and a horizon.

use super::bounds::Constants;
use super::estimators::{Estimator, Gradients, Measured, Reference, Rollouts, Trajectory, measure, met, roll_out};
use super::linear_gaussian::LinearGaussian;
use super::segments::Segments;
use super::subject::{Subject, SubjectShape};
use super::world::MakeWorld;
use crate::env::EnvError;
use crate::rng::Rng;

/// A comparison of estimators: trajectories of one policy with the memory drawn at several rates, with the same noise
/// of the world and of the action.
pub struct Study {
    subject: Subject,
    strength: f64,
    plan: Rollouts,
    rolled: Vec<Rolled>,
}

/// The trajectories of one kind of segments.
struct Rolled {
    segments: Segments,
    paths: Vec<Trajectory>,
    constants: Constants,
    exact: Option<Vec<f64>>,
}

impl Study {
    /// Makes the policy and rolls it out in the worlds that `make` makes, once with each of `all` segments. `linear` is
    /// the task where that is the linear-Gaussian task: the exact gradients of a policy of one linear unit are known
    /// there. An error is an error of a world.
    pub fn new(
        shape: &SubjectShape,
        make: MakeWorld,
        linear: Option<&LinearGaussian>,
        plan: Rollouts,
        all: &[Segments],
    ) -> Result<Self, EnvError> {
        let start = typical_start(make, plan.seed)?;
        let subject = Subject::new(shape, &start, &mut Rng::new(plan.seed, "policy"));
        let (sigma, upsilon, gamma) = (shape.std.powi(2), shape.state_std.powi(2), plan.gamma);
        let roll = |&segments: &Segments| {
            let paths = roll_out(&subject, make, segments, &plan)?;
            let constants = met(&subject, subject.trained(), &paths, gamma);
            let task = linear.map(|task| LinearGaussian { sigma, upsilon, gamma, segments, ..task.clone() });
            Ok(Rolled { segments, paths, constants, exact: task.and_then(|task| subject.exact(&task, plan.horizon)) })
        };
        let rolled = all.iter().map(roll).collect::<Result<_, EnvError>>()?;
        let strength = subject.strength(&start);
        Ok(Self { subject, strength, plan, rolled })
    }

    /// Returns the strength of the recurrence that was reached; [`Subject::new`] defines it.
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// Returns the number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.subject.trained().len()
    }

    fn of(&self, segments: Segments) -> &Rolled {
        self.rolled
            .iter()
            .find(|r| r.segments == segments)
            .unwrap_or_else(|| panic!("{segments:?} were not rolled out"))
    }

    /// Returns the constants of Assumptions 3.1 to 3.3, as met on the trajectories of the segments.
    pub fn constants(&self, segments: Segments) -> &Constants {
        &self.of(segments).constants
    }

    /// Returns the mean of G² over the trajectories of the segments.
    pub fn squared_return(&self, segments: Segments) -> f64 {
        let paths = &self.of(segments).paths;
        paths.iter().map(|path| path.g * path.g).sum::<f64>() / paths.len() as f64
    }

    /// Returns the estimates from each trajectory of the segments.
    pub fn estimate(&self, segments: Segments, estimator: Estimator) -> Gradients {
        let paths = &self.of(segments).paths;
        Gradients::new(&self.subject, self.subject.trained(), paths, estimator, self.plan.threads)
    }

    /// Tells whether the gradient of the objective with these segments is known exactly.
    pub fn is_exact(&self, segments: Segments) -> bool {
        self.of(segments).exact.is_some()
    }

    /// Measures estimates of the gradient against the exact gradient. Where no exact gradient is known, the reference
    /// is `full`, the estimates of BPTT through whole trajectories of the same segments.
    pub fn measure(&self, segments: Segments, estimates: &Gradients, full: &Gradients) -> Measured {
        let Rolled { exact, paths, .. } = self.of(segments);
        measure(estimates, paths, exact.as_deref().map_or(Reference::Paired(full), Reference::Exact))
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
