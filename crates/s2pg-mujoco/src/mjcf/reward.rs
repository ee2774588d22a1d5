//! What is rewarded, and what ends an episode.

use super::file::{Axis, End, Kind, Term};
use super::names::Names;
use crate::body::{Body, Point};

/// What a term measures.
enum Measure {
    /// The velocity of a point along an axis, over the control step: the number of the place, the point and the axis.
    Velocity(usize, Point, usize),
    Height(Point),
    Upright(usize),
    Alive,
    /// Distance of positions from where they should be.
    Pose(Vec<(usize, f64)>),
    Distance(Point, Point),
    Sensor(usize),
    /// Sums of squares.
    Control,
    Rate,
    Speed(Vec<usize>),
    Force(Vec<usize>),
}

/// A term with its weight, which is negative for a cost.
pub(super) struct Weighted {
    pub kind: Kind,
    weight: f64,
    measure: Measure,
    /// Where the measure should be and how wide the peak around it is, where the term is a peak.
    peak: Option<(f64, f64)>,
}

/// All that is rewarded.
pub(super) struct Reward {
    pub terms: Vec<Weighted>,
    /// The points whose velocity is rewarded, with the axis of each.
    pub moving: Vec<(Point, usize)>,
}

/// What has happened in a control step.
pub(super) struct Moment<'a> {
    pub body: &'a Body,
    /// The action of this step, and that of the one before.
    pub action: &'a [f64],
    pub before: &'a [f64],
    /// Where the points of [`Reward::moving`] were before the step.
    pub places: &'a [f64],
    pub dt: f64,
    pub fell: bool,
}

impl Reward {
    /// The terms of a file. `start` is the pose in which episodes start.
    pub fn of(terms: &[Term], names: &Names, start: &[f64]) -> Result<Self, String> {
        let mut moving = Vec::new();
        let weigh = |(i, term): (usize, &Term)| {
            let key = format!("term {} of `reward`", i + 1);
            check_keys(&key, term)?;
            let finite = term.weight.is_finite() && term.target.is_none_or(f64::is_finite);
            if !(finite && term.width.is_none_or(|width| width > 0.0)) {
                return Err(format!("{key} needs a finite `weight` and `target`, and a `width` above 0"));
            }
            let is_cost = term.term.word().ends_with("_cost");
            let always = matches!(term.term, Kind::Pose | Kind::Near);
            let width = term.width.unwrap_or(1.0);
            if term.width.is_some() && term.target.is_none() && !always {
                return Err(format!("{key} has a `width`, which belongs to a `target`; give it one"));
            }
            let peak = term.target.map(|target| (target, width)).or(always.then_some((0.0, width)));
            let measure = measure(&key, term, names, start, &mut moving)?;
            let weight = if is_cost { -term.weight } else { term.weight };
            Ok(Weighted { kind: term.term, weight, measure, peak })
        };
        let terms: Vec<Weighted> = terms.iter().enumerate().map(weigh).collect::<Result<_, String>>()?;
        if terms.is_empty() {
            return Err("`reward` has no terms; give it one, such as { term = \"alive\", weight = 1.0 }".into());
        }
        Ok(Self { terms, moving })
    }
}

/// Refuses keys that a term has no use for.
fn check_keys(key: &str, term: &Term) -> Result<(), String> {
    let known: &[&str] = match term.term {
        Kind::Velocity => &["of", "axis", "target", "width"],
        Kind::Height | Kind::Sensor => &["of", "target", "width"],
        Kind::Upright => &["of"],
        Kind::Alive | Kind::ControlCost | Kind::RateCost => &[],
        Kind::Pose => &["joints", "width"],
        Kind::Near => &["from", "to", "width"],
        Kind::SpeedCost | Kind::ForceCost => &["joints"],
        Kind::DistanceCost => &["from", "to"],
    };
    let Term { term: kind, weight: _, of, axis, from, to, joints, target, width } = term;
    let given = [
        ("of", of.is_some()),
        ("axis", axis.is_some()),
        ("from", from.is_some()),
        ("to", to.is_some()),
        ("joints", joints.is_some()),
        ("target", target.is_some()),
        ("width", width.is_some()),
    ];
    match given.iter().find(|(key, given)| *given && !known.contains(key)) {
        None => Ok(()),
        Some((wrong, _)) => {
            let keys: Vec<String> = ["weight"].iter().chain(known).map(|key| format!("`{key}`")).collect();
            Err(format!("{key} has `{wrong}`, but `{}` has only {}", kind.word(), keys.join(", ")))
        }
    }
}

fn measure(
    key: &str,
    term: &Term,
    names: &Names,
    start: &[f64],
    moving: &mut Vec<(Point, usize)>,
) -> Result<Measure, String> {
    let needed = |word: &str, given: &Option<String>| {
        given.clone().ok_or_else(|| format!("{key} needs `{word}`, the name of a part of the model"))
    };
    let ends = || {
        let (from, to) = (needed("from", &term.from)?, needed("to", &term.to)?);
        Ok::<_, String>(Measure::Distance(names.point(key, &from)?, names.point(key, &to)?))
    };
    let velocities = || {
        let joints = names.joints(key, &term.joints)?;
        Ok::<_, String>(joints.into_iter().flat_map(|joint| joint.velocities.clone()).collect())
    };
    Ok(match term.term {
        Kind::Velocity => {
            let point = names.point(key, &needed("of", &term.of)?)?;
            let axis = match term.axis.unwrap_or(Axis::X) {
                Axis::X => 0,
                Axis::Y => 1,
                Axis::Z => 2,
            };
            moving.push((point, axis));
            Measure::Velocity(moving.len() - 1, point, axis)
        }
        Kind::Height => Measure::Height(names.point(key, &needed("of", &term.of)?)?),
        Kind::Upright => Measure::Upright(names.body(key, &needed("of", &term.of)?)?),
        Kind::Alive => Measure::Alive,
        Kind::Pose => {
            let single = |joint: &&crate::body::Joint| joint.positions.len() == 1;
            let all = || names.joints.iter().filter(single).map(|joint| joint.name.clone()).collect();
            let place = |name: &String| names.single_joint(key, name).map(|i| (i, start[i]));
            Measure::Pose(term.joints.clone().unwrap_or_else(all).iter().map(place).collect::<Result<_, _>>()?)
        }
        Kind::Near | Kind::DistanceCost => ends()?,
        Kind::Sensor => {
            let name = needed("of", &term.of)?;
            match &names.sensor(key, &name)?.1 {
                at if at.len() == 1 => Measure::Sensor(at.start),
                at => {
                    return Err(format!(
                        "{key} names the sensor `{name}`, which has {} numbers; name one of one",
                        at.len()
                    ));
                }
            }
        }
        Kind::ControlCost => Measure::Control,
        Kind::RateCost => Measure::Rate,
        Kind::SpeedCost => Measure::Speed(velocities()?),
        Kind::ForceCost => Measure::Force(velocities()?),
    })
}

impl Weighted {
    /// What the term adds to the reward.
    pub fn value(&self, moment: &Moment) -> f64 {
        let body = moment.body;
        let squares = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>();
        let x = match &self.measure {
            Measure::Velocity(i, point, axis) => (body.place(*point)[*axis] - moment.places[*i]) / moment.dt,
            Measure::Height(point) => body.place(*point)[2],
            Measure::Upright(i) => body.up(*i)[2],
            Measure::Alive => f64::from(u8::from(!moment.fell)),
            Measure::Pose(joints) => {
                squares(&mut joints.iter().map(|&(i, target)| body.positions()[i] - target)).sqrt()
            }
            Measure::Distance(from, to) => {
                let (from, to) = (body.place(*from), body.place(*to));
                squares(&mut from.iter().zip(to).map(|(from, to)| from - to)).sqrt()
            }
            Measure::Sensor(i) => body.sensor_values()[*i],
            Measure::Control => squares(&mut moment.action.iter().copied()),
            Measure::Rate => squares(&mut moment.action.iter().zip(moment.before).map(|(a, before)| a - before)),
            Measure::Speed(joints) => squares(&mut joints.iter().map(|&i| body.velocities()[i])),
            Measure::Force(joints) => squares(&mut joints.iter().map(|&i| body.motor_forces()[i])),
        };
        let x = self.peak.map_or(x, |(target, width)| (-((x - target) / width).powi(2)).exp());
        self.weight * x
    }
}

/// The bounds outside which an episode terminates.
pub(super) struct Bounds {
    heights: Vec<(Point, [f64; 2])>,
    /// Bodies with the cosine of the largest tilt.
    tilts: Vec<(usize, f64)>,
    joints: Vec<(usize, [f64; 2])>,
}

impl Bounds {
    pub fn of(end: &End, names: &Names) -> Result<Self, String> {
        let ordered = |key: &str, name: &str, [low, high]: [f64; 2]| {
            let what = || format!("`{key}.{name}` is [{low}, {high}]; the first number must be below the second");
            if low < high { Ok([low, high]) } else { Err(what()) }
        };
        let height = |(name, range): (&String, &[f64; 2])| {
            Ok((names.point("`end.height`", name)?, ordered("end.height", name, *range)?))
        };
        let tilt = |(name, &most): (&String, &f64)| match (0.0..=std::f64::consts::PI).contains(&most) {
            true => Ok((names.body("`end.tilt`", name)?, most.cos())),
            false => Err(format!("`end.tilt.{name}` is {most}; it can be an angle from 0 to pi, in rad")),
        };
        let joint = |(name, range): (&String, &[f64; 2])| {
            Ok((names.single_joint("`end.joints`", name)?, ordered("end.joints", name, *range)?))
        };
        Ok(Self {
            heights: end.height.iter().map(height).collect::<Result<_, String>>()?,
            tilts: end.tilt.iter().map(tilt).collect::<Result<_, String>>()?,
            joints: end.joints.iter().map(joint).collect::<Result<_, String>>()?,
        })
    }

    /// Whether there are any.
    pub fn exist(&self) -> bool {
        !(self.heights.is_empty() && self.tilts.is_empty() && self.joints.is_empty())
    }

    /// Whether the body keeps to them.
    pub fn hold(&self, body: &Body) -> bool {
        let inside = |x: f64, [low, high]: [f64; 2]| low <= x && x <= high;
        self.heights.iter().all(|&(point, range)| inside(body.place(point)[2], range))
            && self.tilts.iter().all(|&(i, least)| body.up(i)[2] >= least)
            && self.joints.iter().all(|&(i, range)| inside(body.positions()[i], range))
    }
}
