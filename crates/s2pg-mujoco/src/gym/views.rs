//! What of a body is shown, and to whom: the names of the entries of `s` and `o`.

use std::ops::Range;

use super::task::{Block, Task};

/// A set of published experiments, which decides what is hidden.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Suite {
    /// PPO with memory.
    Ppo,
    /// PPO with a window, and without memory.
    Memoryless,
    /// SAC and TD3, whose critics see the whole state.
    Privileged,
}

/// The two views of a task.
pub(super) struct Views {
    /// Names of the entries of the critic's view.
    pub s: Vec<String>,
    /// Names of the entries of the policy's view.
    pub o: Vec<String>,
    /// The parts of `s` that the policy sees.
    pub seen: Vec<Range<usize>>,
    /// Entries of all blocks together.
    pub blocks: usize,
}

impl Views {
    /// The views of `task`, whose body is made of `bodies`, the world's first. `masses` is whether the masses vary.
    pub fn of(task: &Task, bodies: &[&str], masses: bool, suite: Suite) -> Self {
        let (positions, velocities) = task.root.names();
        let joints = task.joints.iter();
        let positions: Vec<String> = positions.iter().chain(task.joints).map(|&name| name.into()).collect();
        let velocities = velocities.iter().map(|&name| name.into()).chain(joints.map(|name| format!("v_{name}")));
        let velocities: Vec<String> = velocities.collect();
        // Gym's `v3` shows the world's rows and the root's entries, `v5` does not.
        let shown = if task.partial {
            (bodies, &velocities[..])
        } else {
            (&bodies[1..], &velocities[6.min(velocities.len())..])
        };
        let hidden = |block: Option<Block>| {
            task.partial
                && match block {
                    Some(Block::ComInertia | Block::ComVelocity) => suite != Suite::Memoryless,
                    Some(Block::ActuatorForces) => suite == Suite::Privileged,
                    Some(Block::ContactForces | Block::ExternalContactForces) => false,
                    None => true,
                }
        };
        let mut parts = vec![(positions, false), (velocities.clone(), hidden(None))];
        parts.extend(task.blocks.iter().map(|&block| (block.names(shown.0, shown.1), hidden(Some(block)))));
        let blocks = parts[2..].iter().map(|(names, _)| names.len()).sum();
        if masses {
            parts.push((bodies.iter().map(|name| format!("mass_{name}")).collect(), hidden(None)));
        }
        let (mut s, mut o, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (names, hidden) in parts {
            if !hidden {
                seen.push(s.len()..s.len() + names.len());
                o.extend_from_slice(&names);
            }
            s.extend(names);
        }
        Self { s, o, seen, blocks }
    }
}
