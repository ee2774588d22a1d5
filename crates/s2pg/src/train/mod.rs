//! Training: the loop, a policy that acts with its memory, and evaluations of a policy.

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
