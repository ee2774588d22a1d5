//! Pictures: learning curves, small multiples and moving bodies, drawn by ourselves without a display.

mod animation;
mod canvas;
mod chart;
mod multiples;
mod path;
mod traces;

pub use animation::{AnimationError, Frame, PICTURE, animation, still};
pub use canvas::{Anchor, Canvas, Colour, Mark, Point, text_width};
pub use chart::{Panel, Series, chart};
pub use multiples::{Line, Small, small_multiples};
pub use path::path;
