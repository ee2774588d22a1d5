//! Pictures: learning curves and moving bodies, drawn by ourselves without a display.

mod animation;
mod canvas;
mod chart;
mod multiples;

pub use animation::{Frame, animation};
pub use canvas::Canvas;
pub use chart::{Panel, Series, chart};
pub use multiples::{Curve, Small, small_multiples};
