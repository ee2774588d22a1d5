//! The parts of a model by their names, with words for a name that the model does not have.

use s2pg::env::nearest;

use crate::body::{Actuator, Body, Joint, Point};

/// The parts of a model that a file can name.
pub(super) struct Names {
    /// The name of the MJCF file.
    pub model: String,
    pub bodies: Vec<String>,
    pub sites: Vec<String>,
    pub joints: Vec<Joint>,
    pub sensors: Vec<(String, std::ops::Range<usize>)>,
    pub actuators: Vec<Actuator>,
    pub keys: Vec<String>,
}

impl Names {
    pub fn of(body: &Body, model: String) -> Self {
        Self {
            model,
            bodies: body.body_names(),
            sites: body.site_names(),
            joints: body.joints(),
            sensors: body.sensors(),
            actuators: body.actuators(),
            keys: body.key_names(),
        }
    }

    /// The number of the part `name` among `names`, which are those of a kind of part. `key` is where the file names
    /// it.
    fn find<'a>(
        &self,
        key: &str,
        kind: &str,
        name: &str,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<usize, String> {
        names.clone().position(|known| known == name).ok_or_else(|| {
            let near = nearest(name, names.clone());
            let all: Vec<&str> = names.collect();
            let hint = match (&near[..], &all[..]) {
                (_, []) => format!("it has no {kind} at all"),
                ([], all) if all.len() > 12 => format!("it has {}, ...", all[..12].join(", ")),
                ([], all) => format!("it has {}", all.join(", ")),
                (near, _) => format!("the nearest is {}", near.join(", or ")),
            };
            format!("{key} names the {kind} `{name}`, which {} does not have; {hint}", self.model)
        })
    }

    pub fn body(&self, key: &str, name: &str) -> Result<usize, String> {
        self.find(key, "body", name, self.bodies.iter().map(String::as_str))
    }

    /// A body, or a site where no body has the name.
    pub fn point(&self, key: &str, name: &str) -> Result<Point, String> {
        let both = self.bodies.iter().chain(&self.sites).map(String::as_str);
        self.find(key, "body or site", name, both).map(|i| match i.checked_sub(self.bodies.len()) {
            None => Point::Body(i),
            Some(site) => Point::Site(site),
        })
    }

    pub fn joint(&self, key: &str, name: &str) -> Result<&Joint, String> {
        let i = self.find(key, "joint", name, self.joints.iter().map(|joint| joint.name.as_str()))?;
        Ok(&self.joints[i])
    }

    /// The place of a joint that has one position.
    pub fn single_joint(&self, key: &str, name: &str) -> Result<usize, String> {
        let joint = self.joint(key, name)?;
        match joint.positions.len() {
            1 => Ok(joint.positions.start),
            n => Err(format!("{key} names the joint `{name}`, whose position is {n} numbers; name a hinge or a slide")),
        }
    }

    pub fn sensor(&self, key: &str, name: &str) -> Result<&(String, std::ops::Range<usize>), String> {
        let i = self.find(key, "sensor", name, self.sensors.iter().map(|sensor| sensor.0.as_str()))?;
        Ok(&self.sensors[i])
    }

    pub fn actuator(&self, key: &str, name: &str) -> Result<usize, String> {
        self.find(key, "actuator", name, self.actuators.iter().map(|actuator| actuator.name.as_str()))
    }

    pub fn key(&self, key: &str, name: &str) -> Result<usize, String> {
        self.find(key, "keyframe", name, self.keys.iter().map(String::as_str))
    }

    /// The joints of a list of names; all where there is no list.
    pub fn joints(&self, key: &str, names: &Option<Vec<String>>) -> Result<Vec<&Joint>, String> {
        match names {
            None => Ok(self.joints.iter().collect()),
            Some(names) => names.iter().map(|name| self.joint(key, name)).collect(),
        }
    }

    /// The bodies of a list of names; all but the world where there is no list.
    pub fn bodies(&self, key: &str, names: &Option<Vec<String>>) -> Result<Vec<usize>, String> {
        match names {
            None => Ok((1..self.bodies.len()).collect()),
            Some(names) => names.iter().map(|name| self.body(key, name)).collect(),
        }
    }
}
