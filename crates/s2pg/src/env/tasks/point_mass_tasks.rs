//! The table of the point-mass tasks: all that differs between them.

use crate::rng::Rng;

/// What differs between the point-mass tasks.
#[derive(Debug)]
pub(super) struct Task {
    pub name: &'static str,
    pub about: &'static str,
    /// Width and height of the field, whose lower left corner is (0, 0).
    pub field: [f64; 2],
    pub starts: Starts,
    pub hides: Hides,
    pub shows: Shows,
}

/// Where episodes start.
#[derive(Debug)]
pub(super) enum Starts {
    /// In one of these places, with equal probability.
    Places(&'static [[f64; 2]]),
    /// Anywhere in a square whose coordinates lie between the first two numbers, at least the third from the goal.
    Square(f64, f64, f64),
}

impl Starts {
    pub fn draw(&self, rng: &mut Rng) -> [f64; 2] {
        match self {
            Self::Places(places) => places[rng.below(places.len())],
            Self::Square(low, high, _) => [(); 2].map(|_| rng.range(*low, *high)),
        }
    }

    /// Returns the least distance of a start from the goal.
    pub fn clearance(&self) -> f64 {
        if let Self::Square(_, _, clearance) = self { *clearance } else { 0.0 }
    }
}

/// What is hidden from the policy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hides {
    /// The goal: one of these places, with equal probability.
    Goal(&'static [[f64; 2]]),
    /// The left edges of two doors, each drawn between `left.0` and `left.1`, in walls at these heights; the goal
    /// stands still.
    Doors { left: (f64, f64), walls: [f64; 2], goal: [f64; 2] },
}

impl Hides {
    pub fn draw(&self, rng: &mut Rng) -> [f64; 2] {
        match self {
            Self::Goal(places) => places[rng.below(places.len())],
            Self::Doors { left, .. } => [(); 2].map(|_| rng.range(left.0, left.1)),
        }
    }

    /// Returns the number that the policy sees in place of a hidden one.
    pub fn masked(&self) -> f64 {
        if matches!(self, Self::Goal(_)) { 0.0 } else { -1.0 }
    }
}

/// Where the policy sees what is else hidden.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shows {
    /// Where x or y differ from the goal's by more than this.
    OutsideSquare(f64),
    /// Up to this y.
    Below(f64),
    /// Up to this distance from the start.
    NearStart(f64),
}

const ROW: [[f64; 2]; 4] = [[25.0, 15.0], [57.0, 15.0], [88.0, 15.0], [120.0, 15.0]];

/// Every point-mass task.
pub(super) static TASKS: [Task; 4] = [
    Task {
        name: "PointMass-v1",
        about: "reach a goal that disappears when the point comes near",
        field: [150.0, 150.0],
        starts: Starts::Square(10.0, 140.0, 40.0),
        hides: Hides::Goal(&[[75.0, 75.0], [25.0, 25.0], [25.0, 75.0], [100.0, 15.0], [55.0, 108.0]]),
        shows: Shows::OutsideSquare(30.0),
    },
    Task {
        name: "PointMass-v2",
        about: "reach a goal that is shown in the lower half of a low field",
        field: [150.0, 75.0],
        starts: Starts::Places(&ROW),
        hides: Hides::Goal(&[[25.0, 55.0], [57.0, 55.0], [88.0, 55.0], [120.0, 55.0]]),
        shows: Shows::Below(37.5),
    },
    Task {
        name: "PointMass-v3",
        about: "reach a far goal that is shown near the start (option: observable_radius = 30)",
        field: [150.0, 150.0],
        starts: Starts::Places(&ROW),
        hides: Hides::Goal(&[[25.0, 130.0], [57.0, 130.0], [88.0, 130.0], [120.0, 130.0]]),
        shows: Shows::NearStart(30.0),
    },
    Task {
        name: "PointMassDoor-v1",
        about: "pass two doors that are shown near the start (option: observable_radius = 20)",
        field: [150.0, 150.0],
        starts: Starts::Places(&[[75.0, 10.0]]),
        hides: Hides::Doors { left: (10.0, 100.0), walls: [60.0, 90.0], goal: [75.0, 140.0] },
        shows: Shows::NearStart(20.0),
    },
];
