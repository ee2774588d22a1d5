//! What is seen of a body: the blocks of a file as single numbers, each with a name.

use std::ops::Range;

use super::file::{Block, Seen};
use super::names::Names;
use crate::body::{Body, Joint, Point};

/// A number that can be read off a body.
#[derive(Clone, Copy)]
enum Number {
    Position(usize),
    Velocity(usize),
    Sine(usize),
    Cosine(usize),
    Sensor(usize),
    Place(Point, usize),
    Quaternion(usize, usize),
    Up(usize, usize),
    /// Of the three angular and three linear velocities.
    Motion(usize, usize),
    Offset(Point, Point, usize),
    Force(usize),
    Action(usize),
}

/// What is seen: the names of both views, and how each number is read.
pub(super) struct View {
    pub s: Vec<String>,
    pub o: Vec<String>,
    numbers: Vec<Number>,
    /// The places in `s` of the entries of `o`.
    pub seen: Vec<usize>,
}

impl View {
    /// The view of the blocks of a file, with the names of `drawn`, which are hidden, behind them. `moved` are the
    /// names of the actuators that the policy moves.
    pub fn of(blocks: &[Block], names: &Names, moved: &[String], drawn: Vec<String>) -> Result<Self, String> {
        let (mut s, mut numbers, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (i, block) in blocks.iter().enumerate() {
            let key = format!("block {} of `observe`", i + 1);
            let mut entries = entries(&key, block, names, moved)?;
            if entries.is_empty() {
                return Err(format!(
                    "{key} shows nothing, since {} has nothing of the kind; take it away",
                    names.model
                ));
            }
            for name in &block.without {
                let at = entries.iter().position(|entry| entry.0 == *name).ok_or_else(|| {
                    let all: Vec<&str> = entries.iter().map(|entry| entry.0.as_str()).collect();
                    format!("{key} is to be without `{name}`, which it has not; its entries are {}", all.join(", "))
                })?;
                entries.remove(at);
            }
            for (name, number) in entries {
                if s.contains(&name) {
                    return Err(format!("{key} shows {name} a second time; leave it out there with `without`"));
                }
                if !block.hidden {
                    seen.push(s.len());
                }
                s.push(name);
                numbers.push(number);
            }
        }
        if seen.is_empty() {
            return Err("`observe` shows the policy nothing; give it a block that is not hidden".into());
        }
        s.extend(drawn);
        let o = seen.iter().map(|&i: &usize| s[i].clone()).collect();
        Ok(Self { s, o, numbers, seen })
    }

    /// Reads all numbers but those that are drawn. `action` is the last action.
    pub fn read<'a>(&'a self, body: &'a Body, action: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.numbers.iter().map(move |number| match *number {
            Number::Position(i) => body.positions()[i],
            Number::Velocity(i) => body.velocities()[i],
            Number::Sine(i) => body.positions()[i].sin(),
            Number::Cosine(i) => body.positions()[i].cos(),
            Number::Sensor(i) => body.sensor_values()[i],
            Number::Place(point, k) => body.place(point)[k],
            Number::Quaternion(i, k) => body.quaternion(i)[k],
            Number::Up(i, k) => body.up(i)[k],
            Number::Motion(i, k) => body.velocity(i)[k],
            Number::Offset(from, to, k) => body.place(to)[k] - body.place(from)[k],
            Number::Force(i) => body.motor_forces()[i],
            Number::Action(i) => action[i],
        })
    }
}

const XYZ: [&str; 3] = ["x", "y", "z"];
const WXYZ: [&str; 4] = ["w", "x", "y", "z"];
/// Positions and velocities of a free joint.
const POSE: [&str; 7] = ["_x", "_y", "_z", "_qw", "_qx", "_qy", "_qz"];
const MOTION: [&str; 6] = ["_x", "_y", "_z", "_wx", "_wy", "_wz"];

/// The entries of a block.
fn entries(key: &str, block: &Block, names: &Names, moved: &[String]) -> Result<Vec<(String, Number)>, String> {
    let is_offset = block.block == Seen::Offset;
    let wrong = match block {
        Block { of: Some(_), block: Seen::Offset | Seen::PreviousAction, .. } => Some("`of`"),
        Block { from: Some(_), .. } | Block { to: Some(_), .. } if !is_offset => Some("`from` and `to`"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(format!("{key} is a block without {wrong}; take that away"));
    }
    type Of = fn(&Joint) -> Range<usize>;
    let of_joints = |word: &str, parts: &[&str], range: Of, number: fn(usize) -> Number| {
        let each = |joint: &Joint| {
            let range = range(joint);
            // A ball has the rotation of a free joint, which comes last.
            let parts = if range.len() == 1 { &[""][..] } else { &parts[parts.len() - range.len()..] };
            let entry = |(part, i)| (format!("{word}{}{part}", joint.name), number(i));
            parts.iter().zip(range).map(entry).collect::<Vec<_>>()
        };
        Ok(names.joints(key, &block.of)?.into_iter().flat_map(each).collect())
    };
    let of_bodies = |word: &str, parts: &[&str], number: fn(usize, usize) -> Number| {
        let each = |body: usize| {
            let name = &names.bodies[body];
            let part = |(k, part): (usize, &&str)| (format!("{word}_{name}_{part}"), number(body, k));
            parts.iter().enumerate().map(part).collect::<Vec<_>>()
        };
        Ok(names.bodies(key, &block.of)?.into_iter().flat_map(each).collect())
    };
    // A block of points is of all bodies where it names none.
    type Points = Vec<(String, Point)>;
    let of_points = || -> Result<Points, String> {
        match &block.of {
            None => Ok((1..names.bodies.len()).map(|i| (names.bodies[i].clone(), Point::Body(i))).collect()),
            Some(list) => list.iter().map(|name| Ok((name.clone(), names.point(key, name)?))).collect(),
        }
    };
    match block.block {
        Seen::Positions => of_joints("", &POSE, |joint| joint.positions.clone(), Number::Position),
        Seen::Velocities => of_joints("v_", &MOTION, |joint| joint.velocities.clone(), Number::Velocity),
        Seen::ActuatorForces => of_joints("force_", &MOTION, |joint| joint.velocities.clone(), Number::Force),
        Seen::Sincos => {
            let of = block.of.as_ref().map_or_else(
                || names.joints.iter().filter(|joint| joint.is_hinge).map(|joint| joint.name.clone()).collect(),
                Vec::clone,
            );
            let pair = |name: &String| {
                let i = names.single_joint(key, name)?;
                Ok([(format!("sin_{name}"), Number::Sine(i)), (format!("cos_{name}"), Number::Cosine(i))])
            };
            Ok(of.iter().map(pair).collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect())
        }
        Seen::Sensors => {
            let all = || names.sensors.iter().map(|sensor| sensor.0.clone()).collect();
            let mut found = Vec::new();
            for name in &block.of.clone().unwrap_or_else(all) {
                let (name, at) = names.sensor(key, name)?;
                let single = at.len() == 1;
                let part = |k: usize| if single { name.clone() } else { format!("{name}_{k}") };
                found.extend(at.clone().enumerate().map(|(k, i)| (part(k), Number::Sensor(i))));
            }
            Ok(found)
        }
        Seen::Place => {
            let each = |(name, point): (String, Point)| {
                XYZ.into_iter()
                    .enumerate()
                    .map(move |(k, axis)| (format!("place_{name}_{axis}"), Number::Place(point, k)))
            };
            Ok(of_points()?.into_iter().flat_map(each).collect())
        }
        Seen::Height => {
            let each = |(name, point)| (format!("height_{name}"), Number::Place(point, 2));
            Ok(of_points()?.into_iter().map(each).collect())
        }
        Seen::Orientation => of_bodies("quat", &WXYZ, Number::Quaternion),
        Seen::Up => of_bodies("up", &XYZ, Number::Up),
        Seen::AngularVelocity => of_bodies("turn", &XYZ, Number::Motion),
        Seen::LinearVelocity => of_bodies("speed", &XYZ, |body, k| Number::Motion(body, k + 3)),
        Seen::Offset => {
            let (Some(from), Some(to)) = (&block.from, &block.to) else {
                return Err(format!("{key} needs `from` and `to`, each a body or a site"));
            };
            let ends = (names.point(key, from)?, names.point(key, to)?);
            let each = |(k, axis)| (format!("{from}_to_{to}_{axis}"), Number::Offset(ends.0, ends.1, k));
            Ok(XYZ.into_iter().enumerate().map(each).collect())
        }
        Seen::PreviousAction => {
            Ok(moved.iter().enumerate().map(|(i, name)| (format!("a_{name}"), Number::Action(i))).collect())
        }
    }
}
