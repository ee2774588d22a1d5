//! A teacher: a policy of another run, which says what it would do where the policy that learns is.

use super::player::{Model, Player};
use crate::env::{EnvError, EnvSpec};
use crate::state::{State, Visitor};

/// A policy that watches n environments beside the one that learns. It acts by its means, keeps a memory of its own,
/// and learns nothing.
#[derive(Clone, Debug)]
pub struct Teacher {
    player: Player,
    /// Whether it sees the privileged state in place of the observation.
    sees_state: bool,
}

impl Teacher {
    /// Makes the teacher of `n` environments with the description `spec` of a player that was trained in a task of the
    /// same views and actions. One that was shown the privileged state is shown it here.
    pub fn new(player: &Player, spec: &EnvSpec, n: usize) -> Result<Self, EnvError> {
        let own = player.spec();
        let sees_state = own.o != spec.o;
        let what = if sees_state && own.o != spec.s {
            format!(
                "the teacher was shown ({}), and here there are ({}) and ({})",
                list(&own.o),
                list(&spec.o),
                list(&spec.s)
            )
        } else if own.low.len() != spec.low.len() {
            format!("the actions of the teacher have {} entries, and here they have {}", own.low.len(), spec.low.len())
        } else {
            return Ok(Self { player: player.for_envs(n), sees_state });
        };
        Err(EnvError::Invalid { env: spec.name.clone(), what: what + "; take a teacher of the same task" })
    }

    /// Returns the actions that the teacher would take, [n, n_a], for the raw views `o`, [n, n_o], and `s`, [n, n_s].
    /// Its memory moves on by one step.
    pub fn advise(&mut self, o: &[f32], s: &[f32]) -> Vec<f32> {
        let shown = if self.sees_state { s } else { o };
        self.player.act(&mut shown.to_vec(), &mut s.to_vec(), None)
    }

    /// Is told that environment `e` starts a new episode.
    pub fn reset(&mut self, e: usize) {
        self.player.reset(e);
    }

    /// Returns the numbers that the teacher acts with, to be loaded.
    pub fn model(&mut self) -> Model<'_> {
        self.player.model()
    }
}

/// Names, of which the first few stand for many.
fn list(names: &[String]) -> String {
    let few = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 4 { format!("{few}, ... {} entries", names.len()) } else { few }
}

impl State for Teacher {
    fn visit(&mut self, v: &mut dyn Visitor) {
        // What it knows never changes, and is not a part of the run.
        let Self { player, sees_state: _ } = self;
        player.recall().visit(v);
    }
}
