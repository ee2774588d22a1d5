//! Pictures: learning curves and moving bodies, drawn by ourselves without a display.

mod animation;
mod canvas;
mod chart;

pub use animation::{Frame, animation};
pub use canvas::Canvas;
pub use chart::{Panel, Series, chart};
