//! Training: the loop, a policy that acts with its memory, and evaluations of a policy.

mod any_trainer;
mod evaluation;
mod player;
mod recall;
mod trainer;

pub use any_trainer::{AnyTrainer, Batch, TrainError};
pub use evaluation::{Before, Evaluation, RecentEpisodes, Seen, evaluate, evaluate_altered, watch};
pub use player::{Model, Player};
pub use recall::Recall;
pub use trainer::{Parts, Trainer};
