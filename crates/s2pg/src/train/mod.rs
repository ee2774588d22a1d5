//! Training: the loop, the policy at work, and how good it is.

mod evaluation;
mod player;
mod recall;
mod trainer;
mod training;

pub use evaluation::{Evaluation, RecentEpisodes, evaluate, watch};
pub use player::{Model, Player};
pub use recall::Recall;
pub use trainer::{Parts, Trainer};
pub use training::{Batch, TrainError, Training};
