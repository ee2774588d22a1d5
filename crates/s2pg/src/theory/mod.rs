//! Exact gradients, and estimators of them, on tasks that are solved in closed form.

pub mod linear_gaussian;

pub use linear_gaussian::{Estimate, LinearGaussian, Moment, Stationary, Theta};
