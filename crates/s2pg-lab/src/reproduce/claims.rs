//! What the paper claims, and what a measurement says of it.

use s2pg::Rng;
use s2pg::results::statistics::{Estimate, bootstrap, difference, mean, ratio};

use super::evidence::Evidence;
use crate::numbers::{count, significant};

/// A claim, made of checks that must all hold.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Its name, such as `C7`.
    pub name: &'static str,
    /// What is claimed.
    pub text: &'static str,
    /// What can be measured of it.
    pub checks: &'static [Check],
}

/// Something that can be measured. A check asks in the tasks that it names, or in all where it names none.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// The returns of the first method are above those of the second, less the tolerance, on the scale of the task.
    Above(&'static str, &'static str, f64, &'static [&'static str]),
    /// A step of the first method takes at least so many times as long as one of the second.
    Slower(&'static str, &'static str, f64),
    /// A step of the first method takes at most so many times as long as one of the second.
    Within(&'static str, &'static str, f64),
    /// The returns of the method rise from the first to the last.
    Learns(&'static str, &'static [&'static str]),
    /// The method stays below this part of the scale.
    Fails(&'static str, f64, &'static [&'static str]),
    /// The returns of the method stay below this one.
    Below(&'static str, f64, &'static [&'static str]),
}

/// What a measurement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval says so.
    Holds,
    /// The whole interval says the opposite.
    Fails,
    /// The measurement does not tell.
    Undecided,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Undecided => "undecided",
        })
    }
}

/// A check with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was asked, in words.
    pub asked: String,
    /// The figure with its 95 % interval; None where one of the methods was not measured.
    pub estimate: Option<Estimate>,
    /// What it says.
    pub verdict: Verdict,
    /// Where it was measured, and why it tells nothing where it does not.
    pub scope: String,
}

/// Below this number of seeds no interval decides anything.
const SEEDS: usize = 3;
/// Below this part of the published steps returns decide nothing.
const STEPS: f64 = 0.5;
/// Draws of a bootstrap.
const RESAMPLES: usize = 4000;

const LOW: &[&str] = &["hopper", "walker2d", "half-cheetah"];
const HIGH: &[&str] = &["ant", "humanoid"];
const HUMANOIDS: &[&str] = &["humanoid-walk", "humanoid-run"];
use Check::{Above, Below, Fails, Learns, Slower, Within};

/// All claims that can be measured by training.
pub const CLAIMS: [Claim; 20] = [
    Claim {
        name: "C1",
        text: "RS trains much faster than BPTT-32 (SAC 4.2 times, TD3 2 times), and not slower than BPTT-5",
        checks: &[
            Slower("sac-bptt-32", "sac-rs", 2.0),
            Slower("td3-bptt-32", "td3-rs", 1.5),
            Slower("sac-bptt-5", "sac-rs", 0.95),
            Slower("td3-bptt-5", "td3-rs", 0.9),
        ],
    },
    Claim {
        name: "C2",
        text: "averaged over all bodies the last returns of RS are slightly below those of BPTT",
        checks: &[Above("sac-bptt-5", "sac-rs", 0.0, &[]), Above("td3-bptt-5", "td3-rs", 0.0, &[])],
    },
    Claim {
        name: "C3",
        text: "RS is better than BPTT on the bodies of many dimensions",
        checks: &[
            Above("sac-rs", "sac-bptt-5", 0.0, HIGH),
            Above("sac-rs", "sac-bptt-32", 0.0, HIGH),
            Above("td3-rs", "td3-bptt-5", 0.0, HIGH),
            Above("td3-rs", "td3-bptt-32", 0.0, HIGH),
        ],
    },
    Claim {
        name: "C4",
        text: "RS is worse than BPTT on the bodies of few dimensions",
        checks: &[Above("sac-bptt-5", "sac-rs", 0.0, LOW), Above("td3-bptt-5", "td3-rs", 0.0, LOW)],
    },
    Claim {
        name: "C5",
        text: "TD3 with BPTT does not learn Ant",
        checks: &[Fails("td3-bptt-5", 0.25, &["ant"]), Fails("td3-bptt-32", 0.25, &["ant"])],
    },
    Claim {
        name: "C6",
        text: "windows of 32 are worse than windows of 5, and windows are faster than BPTT",
        checks: &[
            Above("sac-window-5", "sac-window-32", 0.0, &[]),
            Above("td3-window-5", "td3-window-32", 0.0, &[]),
            Slower("sac-bptt-5", "sac-window-5", 1.0),
            Slower("sac-bptt-32", "sac-window-32", 1.0),
            Slower("td3-bptt-5", "td3-window-5", 1.0),
            Slower("td3-bptt-32", "td3-window-32", 1.0),
        ],
    },
    Claim {
        name: "C7",
        text: "PPO with RS is at least as good as PPO with BPTT on all bodies",
        checks: &[Above("ppo-rs", "ppo-bptt-5", 0.05, &[]), Above("ppo-rs", "ppo-bptt-32", 0.05, &[])],
    },
    Claim {
        name: "C8",
        text: "PPO with BPTT or windows gets worse with a longer history",
        checks: &[Above("ppo-bptt-5", "ppo-bptt-32", 0.0, &[]), Above("ppo-window-5", "ppo-window-32", 0.0, &[])],
    },
    Claim {
        name: "C9",
        text: "no on-policy method gets far on Hopper and Walker2d (here: a mean return of 1000)",
        checks: &[
            Below("ppo-rs", 1000.0, &["hopper", "walker2d"]),
            Below("ppo-bptt-5", 1000.0, &["hopper", "walker2d"]),
            Below("ppo-window-5", 1000.0, &["hopper", "walker2d"]),
        ],
    },
    Claim {
        name: "C10",
        text: "PPO with RS takes about the time of BPTT-5, and clearly less than BPTT-32",
        checks: &[
            Slower("ppo-bptt-5", "ppo-rs", 0.9),
            Within("ppo-bptt-5", "ppo-rs", 2.0),
            Slower("ppo-bptt-32", "ppo-rs", 1.2),
        ],
    },
    Claim {
        name: "C11",
        text: "RS is better and faster than SLAC",
        checks: &[Above("sac-rs", "slac-window-8", 0.0, &[]), Slower("slac-window-8", "sac-rs", 1.0)],
    },
    Claim {
        name: "C12",
        text: "memory is needed, and the whole state helps: vanilla is below RS, and RS below the oracle",
        checks: &[Above("sac-rs", "sac-vanilla", 0.0, &[]), Above("sac-oracle", "sac-rs", 0.0, &[])],
    },
    Claim {
        name: "C13",
        text: "on the point mass RS is better than BPTT-5 and BPTT-10, in less time",
        checks: &[
            Above("sac-rs", "sac-bptt-5", 0.0, &["point-mass-v3"]),
            Above("sac-rs", "sac-bptt-10", 0.0, &["point-mass-v3"]),
            Slower("sac-bptt-5", "sac-rs", 1.0),
            Slower("sac-bptt-10", "sac-rs", 1.0),
        ],
    },
    Claim {
        name: "C14",
        text: "with doors RS is better than BPTT-5 and slightly below BPTT-10, in less time",
        checks: &[
            Above("sac-rs", "sac-bptt-5", 0.0, &["point-mass-door"]),
            Above("sac-bptt-10", "sac-rs", 0.0, &["point-mass-door"]),
            Slower("sac-bptt-10", "sac-rs", 1.0),
        ],
    },
    Claim {
        name: "C15",
        text: "a body moved by oscillators that see nothing learns to go, and stays below one that sees",
        checks: &[
            Learns("ppo-rs-cpg", &["half-cheetah", "ant"]),
            Above("ppo-rs", "ppo-rs-cpg", 0.0, &["half-cheetah", "ant"]),
        ],
    },
    Claim {
        name: "C16",
        text: "on walking humanoids GAIL with RS beats GAIL with BPTT by a large margin",
        checks: &[
            Above("gail-rs", "gail-bptt-5", 0.0, &["humanoid-walk"]),
            Above("gail-rs", "gail-bptt-32", 0.0, &["humanoid-walk"]),
        ],
    },
    Claim {
        name: "C17",
        text: "Atlas carries with GAIL without memory already, but better with RS",
        checks: &[Learns("gail-vanilla", &["atlas-carry"]), Above("gail-rs", "gail-vanilla", 0.0, &["atlas-carry"])],
    },
    Claim {
        name: "C18",
        text: "humanoids need memory: vanilla is poor",
        checks: &[Above("gail-rs", "gail-vanilla", 0.0, HUMANOIDS), Above("lsiq-rs", "lsiq-vanilla", 0.0, HUMANOIDS)],
    },
    Claim {
        name: "C19",
        text: "imitation with RS is competitive with BPTT, also with longer BPTT",
        checks: &[
            Above("gail-rs", "gail-bptt-32", 0.05, &[]),
            Above("lsiq-rs", "lsiq-bptt-5", 0.05, &[]),
            Above("lsiq-rs", "lsiq-bptt-32", 0.05, &[]),
        ],
    },
    Claim {
        name: "C20",
        text: "LS-IQ takes times as SAC does, and GAIL as PPO: BPTT-32 takes far longer than RS with LS-IQ, and longer with GAIL",
        checks: &[Slower("lsiq-bptt-32", "lsiq-rs", 2.0), Slower("gail-bptt-32", "gail-rs", 1.2)],
    },
];

/// The claim of a name.
///
/// # Panics
/// Panics where there is no such claim.
pub fn claim(name: &str) -> &'static Claim {
    CLAIMS.iter().find(|claim| claim.name == name).unwrap_or_else(|| panic!("there is no claim {name}"))
}

impl Claim {
    /// What the evidence says of each check, and of the claim: it fails where a check fails, and holds where all hold.
    pub fn judge(&self, evidence: &Evidence) -> (Verdict, Vec<Finding>) {
        let findings: Vec<Finding> = self.checks.iter().map(|check| check.judge(evidence)).collect();
        let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
        let verdict = match () {
            () if has(Verdict::Fails) => Verdict::Fails,
            () if has(Verdict::Undecided) => Verdict::Undecided,
            () => Verdict::Holds,
        };
        (verdict, findings)
    }
}

impl Check {
    /// What is asked, in words.
    fn asked(&self) -> String {
        match self {
            Above(a, b, tolerance, _) if *tolerance > 0.0 => {
                format!("return of {a} less that of {b}, at least -{tolerance} of the scale")
            }
            Above(a, b, ..) => format!("return of {a} less that of {b}, above 0"),
            Slower(a, b, least) => format!("time of {a} over that of {b}, at least {least}"),
            Within(a, b, most) => format!("time of {a} over that of {b}, at most {most}"),
            Learns(a, _) => format!("rise of {a} from its first return, above 0"),
            Fails(a, most, _) => format!("{a} on the scale of the task, below {most}"),
            Below(a, most, _) => format!("return of {a}, below {most}"),
        }
    }

    /// The methods that it asks about.
    pub fn methods(&self) -> Vec<&'static str> {
        match self {
            Above(a, b, ..) | Slower(a, b, _) | Within(a, b, _) => vec![a, b],
            Learns(a, _) | Fails(a, ..) | Below(a, ..) => vec![a],
        }
    }

    fn wanted(&self) -> &'static [&'static str] {
        match self {
            Above(.., tasks) | Learns(_, tasks) | Fails(.., tasks) | Below(.., tasks) => tasks,
            Slower(..) | Within(..) => &[],
        }
    }

    fn judge(&self, evidence: &Evidence) -> Finding {
        let asked = self.asked();
        let is_time = matches!(self, Slower(..) | Within(..));
        let is_wanted = |task: &&str| self.wanted().is_empty() || self.wanted().contains(task);
        let usable = |task: &&str| {
            let measured = |method: &&str| {
                let cell = evidence.cell(method, task);
                cell.is_some_and(|cell| !if is_time { &cell.seconds } else { &cell.last }.is_empty())
            };
            let has_scale = !matches!(self, Above(..) | Fails(..)) || evidence.scale(task).is_some();
            is_wanted(task) && self.methods().iter().all(measured) && has_scale
        };
        let tasks: Vec<&str> = evidence.tasks().into_iter().filter(usable).collect();
        if tasks.is_empty() {
            let scope = "not measured".into();
            return Finding { asked, estimate: None, verdict: Verdict::Undecided, scope };
        }
        let cells = || self.methods().into_iter().flat_map(|m| tasks.iter().filter_map(move |t| evidence.cell(m, t)));
        let (estimate, threshold, above) = self.estimate(evidence, &tasks);
        let says = match (estimate.low > threshold, estimate.high < threshold) {
            (true, _) => Some(above),
            (_, true) => Some(!above),
            _ => None,
        };
        let samples = cells().map(|cell| if is_time { cell.seconds.len() } else { cell.last.len() }).min().unwrap_or(0);
        let share = cells().map(|cell| cell.share()).fold(f64::INFINITY, f64::min);
        let asked_for = || self.wanted().iter().chain(&evidence.left_out).filter(|task| is_wanted(task));
        let is_partial = !is_time && asked_for().any(|task| !tasks.contains(task));
        let mut scope = format!("{}, {}", tasks.join(", "), count(samples, if is_time { "sample" } else { "seed" }));
        if !is_time {
            scope += &format!(", {} % of the published steps", significant(100.0 * share));
        }
        let few = samples < SEEDS;
        let early = !is_time && share < STEPS;
        let verdict = match says {
            Some(true) if !few && !early && !is_partial => Verdict::Holds,
            Some(false) if !few && !early && !is_partial => Verdict::Fails,
            _ => Verdict::Undecided,
        };
        if verdict == Verdict::Undecided {
            let points =
                says.map_or("the interval holds both", |says| if says { "so far it holds" } else { "so far it fails" });
            let short = [(few, "too few seeds"), (early, "too few steps"), (is_partial, "not all tasks")];
            let why: Vec<&str> = short.iter().filter(|(is, _)| *is).map(|(_, why)| *why).collect();
            scope += &format!("; {points}{}{}", if why.is_empty() { "" } else { ", with " }, why.join(" and "));
        }
        Finding { asked, estimate: Some(estimate), verdict, scope }
    }

    /// The figure in these tasks, the threshold, and whether the check asks for figures above it.
    fn estimate(&self, evidence: &Evidence, tasks: &[&str]) -> (Estimate, f64, bool) {
        let mut rng = Rng::new(0, "reproduce");
        let of = |f: &dyn Fn(&str) -> Vec<f64>| tasks.iter().map(|task| f(task)).collect::<Vec<Vec<f64>>>();
        let cell = |method: &str, task: &str| evidence.cell(method, task).expect("it was measured");
        let scores = |method: &str| of(&|task| evidence.scores(method, task).expect("it was measured"));
        let seconds = |method: &str| of(&|task| cell(method, task).seconds.clone());
        match self {
            Above(a, b, tolerance, _) => (difference(&scores(a), &scores(b), RESAMPLES, &mut rng), -tolerance, true),
            Slower(a, b, least) => (ratio(&seconds(a), &seconds(b), RESAMPLES, &mut rng), *least, true),
            Within(a, b, most) => (ratio(&seconds(a), &seconds(b), RESAMPLES, &mut rng), *most, false),
            Learns(a, _) => {
                let rise =
                    of(&|task| cell(a, task).last.iter().zip(&cell(a, task).first).map(|(l, f)| l - f).collect());
                (bootstrap(&rise, mean, RESAMPLES, &mut rng), 0.0, true)
            }
            Fails(a, most, _) => (bootstrap(&scores(a), mean, RESAMPLES, &mut rng), *most, false),
            Below(a, most, _) => {
                (bootstrap(&of(&|task| cell(a, task).last.clone()), mean, RESAMPLES, &mut rng), *most, false)
            }
        }
    }
}
