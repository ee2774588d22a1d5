//! The tables and figures that can be made again: which methods they compare in which tasks, and what is claimed of
//! them.

use super::claims::{Claim, claim};

/// A method of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name, such as `sac-bptt-5`; the algorithm stands before the first hyphen.
    pub name: &'static str,
    /// Its preset, where `{}` stands for the task.
    pub preset: &'static str,
    /// Changes to the preset, where `{}` stands for the environment of the task.
    pub changes: &'static [&'static str],
}

/// A task: the name of its presets, and of its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The name that presets have behind their slash.
    pub name: &'static str,
    /// The environment.
    pub env: &'static str,
}

/// A table or a figure.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Its name, such as `figure-10`.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Whether it tells times only, which are measured without training to the end.
    pub is_timed: bool,
    /// The tasks, the first of which is the last to be left out.
    pub tasks: &'static [Task],
    /// The methods, the first of which are the last to be left out.
    pub methods: &'static [Method],
    /// How many of the methods are never left out.
    pub core: usize,
    /// The names of the claims that it touches.
    pub claims: &'static [&'static str],
}

impl Item {
    /// The item of a name, such as `table-2`.
    pub fn find(name: &str) -> Option<&'static Self> {
        ITEMS.iter().find(|item| item.name == name)
    }

    /// The claims that it touches.
    pub fn claims(&self) -> impl Iterator<Item = &'static Claim> {
        self.claims.iter().map(|name| claim(name))
    }
}

const fn method(name: &'static str, preset: &'static str) -> Method {
    Method { name, preset, changes: &[] }
}

const fn task(name: &'static str, env: &'static str) -> Task {
    Task { name, env }
}

const BODIES: [Task; 5] = [
    task("half-cheetah", "HalfCheetahPOMDP-v3"),
    task("ant", "AntPOMDP-v3"),
    task("hopper", "HopperPOMDP-v3"),
    task("walker2d", "Walker2dPOMDP-v3"),
    task("humanoid", "HumanoidPOMDP-v3"),
];

const IMITATED: [Task; 3] = [
    task("humanoid-walk", "HumanoidTorque4Ages.walk"),
    task("humanoid-run", "HumanoidTorque4Ages.run"),
    task("atlas-carry", "Atlas.carry"),
];

/// The methods of one algorithm, in the order in which they are kept.
macro_rules! methods_of {
    ($algorithm:literal) => {
        [
            method(concat!($algorithm, "-rs"), concat!($algorithm, "-rs/{}")),
            method(concat!($algorithm, "-bptt-5"), concat!($algorithm, "-bptt-5/{}")),
            method(concat!($algorithm, "-vanilla"), concat!($algorithm, "-vanilla/{}")),
            method(concat!($algorithm, "-oracle"), concat!($algorithm, "-oracle/{}")),
            method(concat!($algorithm, "-window-5"), concat!($algorithm, "-window-5/{}")),
            method(concat!($algorithm, "-window-32"), concat!($algorithm, "-window-32/{}")),
            method(concat!($algorithm, "-bptt-32"), concat!($algorithm, "-bptt-32/{}")),
        ]
    };
}

/// The imitating methods of one algorithm.
macro_rules! imitators_of {
    ($algorithm:literal) => {
        [
            method(concat!($algorithm, "-rs"), concat!($algorithm, "-rs/{}")),
            method(concat!($algorithm, "-vanilla"), concat!($algorithm, "-vanilla/{}")),
            method(concat!($algorithm, "-bptt-5"), concat!($algorithm, "-bptt-5/{}")),
            method(concat!($algorithm, "-bptt-32"), concat!($algorithm, "-bptt-32/{}")),
        ]
    };
}

const OF_SAC: [Method; 7] = methods_of!("sac");
const OF_TD3: [Method; 7] = methods_of!("td3");
const OF_PPO: [Method; 7] = methods_of!("ppo");
const OF_GAIL: [Method; 4] = imitators_of!("gail");
const OF_LSIQ: [Method; 4] = imitators_of!("lsiq");
const OF_SLAC: Method =
    Method { name: "slac-window-8", preset: "slac-window-8/half-cheetah", changes: &["env.name={}"] };
const POINT_BPTT_10: Method = Method { name: "sac-bptt-10", preset: "sac-rs/{}", changes: &["estimator=bptt:10"] };
const POINT_BPTT_5: Method = Method { name: "sac-bptt-5", preset: "sac-rs/{}", changes: &["estimator=bptt:5"] };

/// Everything on-policy and off-policy, one method of each algorithm after the other.
const ALL: [Method; 22] = [
    OF_SAC[0], OF_TD3[0], OF_PPO[0], OF_SAC[1], OF_TD3[1], OF_PPO[1], OF_SAC[2], OF_TD3[2], OF_PPO[2], OF_SLAC,
    OF_PPO[6], OF_TD3[6], OF_PPO[4], OF_PPO[5], OF_TD3[4], OF_TD3[5], OF_SAC[4], OF_SAC[5], OF_PPO[3], OF_TD3[3],
    OF_SAC[3], OF_SAC[6],
];

const OFF_POLICY: [Method; 14] = [
    OF_SAC[0], OF_TD3[0], OF_SAC[1], OF_TD3[1], OF_SAC[2], OF_TD3[2], OF_TD3[6], OF_TD3[4], OF_TD3[5], OF_SAC[4],
    OF_SAC[5], OF_TD3[3], OF_SAC[3], OF_SAC[6],
];

const PAIRS: [Method; 6] = [OF_SAC[0], OF_TD3[0], OF_SAC[1], OF_TD3[1], OF_TD3[6], OF_SAC[6]];

const IMITATION: [Method; 8] =
    [OF_GAIL[0], OF_LSIQ[0], OF_GAIL[1], OF_LSIQ[1], OF_GAIL[2], OF_LSIQ[2], OF_GAIL[3], OF_LSIQ[3]];

const POINT: [Method; 3] = [OF_SAC[0], POINT_BPTT_5, POINT_BPTT_10];

const BLIND: [Method; 2] = [method("ppo-rs-cpg", "ppo-rs/{}-cpg"), OF_PPO[0]];

/// All of them.
pub const ITEMS: [Item; 11] = [
    Item {
        name: "figure-3",
        title: "Figure 3: SAC and TD3 with privileged critics, and PPO, on all bodies",
        is_timed: false,
        tasks: &BODIES,
        methods: &ALL,
        core: 6,
        claims: &["C1", "C2", "C6", "C7", "C8", "C10", "C11", "C12"],
    },
    Item {
        name: "figure-4",
        title: "Figure 4: SAC on the point mass whose goal is shown at the start only",
        is_timed: false,
        tasks: &[task("point-mass-v3", "PointMass-v3")],
        methods: &POINT,
        core: 3,
        claims: &["C13"],
    },
    Item {
        name: "figure-8",
        title: "Figure 8: SAC on the point mass with two doors",
        is_timed: false,
        tasks: &[task("point-mass-door", "PointMassDoor-v1")],
        methods: &POINT,
        core: 3,
        claims: &["C14"],
    },
    Item {
        name: "figure-9",
        title: "Figure 9: bodies that are moved by oscillators and see nothing",
        is_timed: false,
        tasks: &[BODIES[0], BODIES[1]],
        methods: &BLIND,
        core: 2,
        claims: &["C15"],
    },
    Item {
        name: "figure-10",
        title: "Figure 10: PPO without privileged information",
        is_timed: false,
        tasks: &BODIES,
        methods: &OF_PPO,
        core: 3,
        claims: &["C7", "C8", "C9", "C10"],
    },
    Item {
        name: "figure-12",
        title: "Figure 12: SAC and TD3 with privileged critics, each body, against hours",
        is_timed: false,
        tasks: &BODIES,
        methods: &OFF_POLICY,
        core: 4,
        claims: &["C1", "C2", "C5", "C6"],
    },
    Item {
        name: "figure-13",
        title: "Figure 13: RS and BPTT on bodies of many and of few dimensions",
        is_timed: false,
        tasks: &[BODIES[1], BODIES[0], BODIES[4], BODIES[2], BODIES[3]],
        methods: &PAIRS,
        core: 4,
        claims: &["C3", "C4"],
    },
    Item {
        name: "figure-14",
        title: "Figure 14: imitation with GAIL",
        is_timed: false,
        tasks: &IMITATED,
        methods: &OF_GAIL,
        core: 2,
        claims: &["C16", "C17", "C18"],
    },
    Item {
        name: "figure-15",
        title: "Figure 15: imitation with GAIL and LS-IQ",
        is_timed: false,
        tasks: &IMITATED,
        methods: &IMITATION,
        core: 4,
        claims: &["C18", "C19", "C20"],
    },
    Item {
        name: "table-1",
        title: "Table 1: hours for 1,000,000 environment steps, extrapolated",
        is_timed: true,
        tasks: &BODIES,
        methods: &ALL,
        core: 22,
        claims: &["C1", "C6", "C10", "C11"],
    },
    Item {
        name: "table-2",
        title: "Table 2: time of a step as a multiple of the policy's without memory",
        is_timed: true,
        tasks: &BODIES,
        methods: &ALL,
        core: 22,
        claims: &["C1", "C6", "C10", "C11"],
    },
];
