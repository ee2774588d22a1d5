//! The paper's theory as code: exact gradients on tasks that are solved in closed form, the estimators of these
//! gradients, the bounds on their variance, and measurements of estimators on any task.

pub mod bounds;
pub mod checks;
pub mod estimators;
pub mod linear_gaussian;
pub mod monte_carlo;
mod occupancy;
pub mod saturated;
pub mod segments;
pub mod study;
pub mod subject;
pub mod world;

pub use linear_gaussian::{LinearGaussian, Moment, Stationary, Theta};
pub use monte_carlo::{Estimate, monte_carlo};
pub use segments::Segments;
