//! What the file of a task says, as it is written. The page *Own robots* of the book describes every key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use s2pg::env::{Options, nearest};
use serde::Deserialize;

/// The file of a task.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The MJCF file, relative to this one.
    pub model: PathBuf,
    /// Simulation steps in a control step.
    pub frame_skip: usize,
    /// Control steps after which an episode is cut.
    pub horizon: usize,
    #[serde(default)]
    pub actuators: Actuators,
    #[serde(default)]
    pub start: Start,
    /// What is seen, in this order.
    pub observe: Vec<Block>,
    pub reward: Vec<Term>,
    #[serde(default)]
    pub end: End,
    #[serde(default)]
    pub randomise: Randomise,
}

/// The table `actuators`: what the policy moves, and what its action means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Actuators {
    /// The actuators that the policy moves, in this order; all where not given.
    pub names: Option<Vec<String>>,
    /// The range of each control; the model's where not given.
    pub range: Option<[f64; 2]>,
    pub action: Action,
    /// For `offset`: how far an action of 1 is from the start.
    pub scale: Option<f64>,
}

/// What a number of an action means.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// The control itself.
    #[default]
    Control,
    /// From -1 to 1, the range of the control.
    Unit,
    /// The position at which the joint starts, and `scale` times the action.
    Offset,
}

/// The table `start`: where episodes start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Start {
    /// A keyframe of the model; the reference pose where not given.
    pub key: Option<String>,
    /// Joints that start elsewhere.
    pub positions: BTreeMap<String, Numbers>,
    pub position_noise: Noise,
    pub velocity_noise: Noise,
}

/// One number, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a list of numbers")]
pub(super) enum Numbers {
    One(f64),
    Many(Vec<f64>),
}

/// How far a number may start from where it should: the same for all joints, or for each joint by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a table such as { \"*\" = 0.01, hinge = 3.14 }")]
pub(super) enum Noise {
    All(f64),
    Each(BTreeMap<String, f64>),
}

impl Default for Noise {
    fn default() -> Self {
        Noise::All(0.0)
    }
}

/// A block of what is seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub block: Seen,
    /// The parts of the model of which it is; all where not given.
    pub of: Option<Vec<String>>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Whether only a privileged critic sees it.
    #[serde(default)]
    pub hidden: bool,
    /// Entries of the block that nobody sees.
    #[serde(default)]
    pub without: Vec<String>,
}

/// What a block shows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Seen {
    Positions,
    Velocities,
    Sincos,
    Sensors,
    Place,
    Height,
    Orientation,
    Up,
    LinearVelocity,
    AngularVelocity,
    Offset,
    ActuatorForces,
    PreviousAction,
}

/// A term of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Term {
    pub term: Kind,
    pub weight: f64,
    pub of: Option<String>,
    pub axis: Option<Axis>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub joints: Option<Vec<String>>,
    pub target: Option<f64>,
    pub width: Option<f64>,
}

/// What a term measures. Those that end in `_cost` are taken away from the reward.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Velocity,
    Height,
    Upright,
    Alive,
    Pose,
    Near,
    Sensor,
    ControlCost,
    RateCost,
    SpeedCost,
    ForceCost,
    DistanceCost,
}

impl Kind {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        self.figure().trim_start_matches("reward_")
    }

    /// The name of the figure that shows the sum of the term.
    pub fn figure(self) -> &'static str {
        match self {
            Kind::Velocity => "reward_velocity",
            Kind::Height => "reward_height",
            Kind::Upright => "reward_upright",
            Kind::Alive => "reward_alive",
            Kind::Pose => "reward_pose",
            Kind::Near => "reward_near",
            Kind::Sensor => "reward_sensor",
            Kind::ControlCost => "reward_control_cost",
            Kind::RateCost => "reward_rate_cost",
            Kind::SpeedCost => "reward_speed_cost",
            Kind::ForceCost => "reward_force_cost",
            Kind::DistanceCost => "reward_distance_cost",
        }
    }
}

/// An axis of the world.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Axis {
    X,
    Y,
    Z,
}

/// The table `end`: what ends an episode, beside its horizon.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct End {
    /// Bodies or sites, with the heights between which they must be, in m.
    pub height: BTreeMap<String, [f64; 2]>,
    /// Bodies, with the largest angle from upright, in rad.
    pub tilt: BTreeMap<String, f64>,
    /// Joints of one number, with the positions between which they must be.
    pub joints: BTreeMap<String, [f64; 2]>,
}

/// The table `randomise`: what is drawn afresh in each episode.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Randomise {
    /// The range of a factor for each body's mass and inertia.
    pub masses: Option<[f64; 2]>,
    /// The bodies whose masses vary; all where not given.
    pub mass_bodies: Option<Vec<String>>,
    /// The range of a factor for the sliding friction of all geoms.
    pub friction: Option<[f64; 2]>,
    /// The least and the most control steps by which actions are late.
    pub delay: Option<[usize; 2]>,
    pub pushes: Option<Pushes>,
}

/// The table `randomise.pushes`: horizontal pushes at random moments, in random directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pushes {
    /// The body that is pushed.
    pub of: String,
    /// The least and the largest force, in N.
    pub force: [f64; 2],
    /// Control steps that a push lasts.
    pub steps: usize,
    /// Control steps from the end of a push to the next one, on average.
    pub every: f64,
}

impl File {
    /// Reads the text of a file. Each key of `options` takes the place of that of the file.
    pub fn parse(text: &str, options: &Options) -> Result<Self, String> {
        let file = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            format!("line {line}: {}", in_words(e.message()))
        })?;
        if options.is_empty() {
            return Ok(file);
        }
        let mut table: toml::Table = text.parse().expect("it was read once");
        overlay(&mut table, options);
        table.try_into().map_err(|e: toml::de::Error| {
            let keys: Vec<String> = options.keys().map(|key| format!("`env.{key}`")).collect();
            format!("with {} of the experiment: {}", keys.join(", "), in_words(e.message()))
        })
    }
}

/// Puts the keys of `over` in the place of those of `table`, tables key by key.
fn overlay(table: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => overlay(inner, over),
            _ => drop(table.insert(key.clone(), value.clone())),
        }
    }
}

/// A message of the reader on one line, with the word that was perhaps meant in the place of an unknown one.
fn in_words(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    match words.split_first() {
        Some((unknown, known)) if line.starts_with("unknown") => {
            let near = nearest(unknown, known.iter().copied());
            let hint = near.first().map_or(String::new(), |near| format!("; perhaps `{near}` is meant"));
            line + &hint
        }
        _ => line,
    }
}
