//! Training: the loop, a policy that acts with its memory, evaluations of a policy, and recordings of one.

mod any_trainer;
mod evaluation;
mod player;
mod policy_program;
mod recall;
mod record;
mod teacher;
mod trainer;

pub use any_trainer::{AnyTrainer, Batch, TrainError};
pub use evaluation::{Before, Evaluation, RecentEpisodes, Seen, evaluate, evaluate_altered, watch};
pub use player::{Model, Player};
pub use policy_program::{Kept, PolicyProgram};
pub use recall::Recall;
pub use record::record;
pub use teacher::Teacher;
pub use trainer::{Parts, Trainer};

/// The language of a [`PolicyProgram`]: the operations, and why a policy cannot be written in them.
pub mod program {
    pub use crate::nn::{Function, Output, Pairwise, Program, Row, Step, Untraceable};
}
