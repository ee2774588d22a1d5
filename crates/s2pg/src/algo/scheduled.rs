//! Numbers of an experiment that may change while a run goes on, such as step sizes.

use std::fmt::{self, Display};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::settings::{Limit, Value};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Environment steps so far, of all environments together.
    pub steps: usize,
    /// Environment steps of the whole run.
    pub of: usize,
}

impl Progress {
    /// A run before its first step.
    pub const START: Self = Self { steps: 0, of: 1 };
}

/// A number of an experiment that stays as it is, or that follows a line over the steps of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scheduled {
    /// The number stays as it is. In an experiment: `3e-4`.
    Constant(f64),
    /// The number rises from 0 to `start` over the first `warmup` steps, and then goes in a straight line to `end`,
    /// which it reaches with the last step. In an experiment: `{ start = 3e-4, end = 1e-5, warmup = 10_000 }`, or
    /// `"linear"` for a line to 0.
    Linear(Line),
}

/// The line that a number follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The number after the warm-up. Where an experiment gives none, the settings put the number there that the key has
    /// without a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// The number at the last step of the run.
    #[serde(default)]
    pub end: f64,
    /// Number of environment steps over which the number rises from 0 to `start`.
    #[serde(default)]
    pub warmup: usize,
}

impl Scheduled {
    /// Returns the number where a run has come to `now`.
    pub fn at(self, now: Progress) -> f64 {
        let Self::Linear(line) = self else { return self.start() };
        if now.steps < line.warmup {
            return self.start() * now.steps as f64 / line.warmup as f64;
        }
        let gone = (now.steps - line.warmup) as f64 / now.of.saturating_sub(line.warmup).max(1) as f64;
        self.start() + (line.end - self.start()) * gone.min(1.0)
    }

    /// Returns the largest number of the schedule.
    pub fn largest(self) -> f64 {
        if let Self::Linear(line) = self { self.start().max(line.end) } else { self.start() }
    }

    /// Returns the number after the warm-up.
    pub fn start(self) -> f64 {
        match self {
            Self::Constant(x) => x,
            Self::Linear(line) => line.start.unwrap_or(line.end),
        }
    }
}

impl Value for Scheduled {
    /// The start of a schedule has the range of the number; its end may be 0 as well.
    fn check(&self, key: &str, limit: Limit) -> Result<(), String> {
        match self {
            Self::Constant(x) => limit.check_number(key, *x),
            Self::Linear(line) => {
                limit.check_number(&format!("{key}.start"), self.start())?;
                let end = if line.end == 0.0 { Limit::NotNegative } else { limit };
                end.check_number(&format!("{key}.end"), line.end)
            }
        }
    }

    fn complete(&mut self, default: &Self) {
        if let Self::Linear(Line { start: start @ None, .. }) = self {
            *start = Some(default.start());
        }
    }
}

impl From<f64> for Scheduled {
    fn from(x: f64) -> Self {
        Self::Constant(x)
    }
}

impl Display for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(x) => write!(f, "{x}"),
            Self::Linear(Line { end, warmup, .. }) => {
                write!(f, "{{ start = {}, end = {end}, warmup = {warmup} }}", self.start())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Scheduled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The name tells that the value is a schedule; it is read as whatever is written.
        deserializer.deserialize_newtype_struct("Scheduled", Written)
    }
}

/// The ways in which an experiment writes a [`Scheduled`] number.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Scheduled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"linear\", or a schedule such as { start = 3e-4, end = 0.0, warmup = 1000 }")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scheduled, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<Scheduled, E> {
        Ok(Scheduled::Constant(x))
    }

    fn visit_i64<E: Error>(self, x: i64) -> Result<Scheduled, E> {
        Ok(Scheduled::Constant(x as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scheduled, E> {
        match text {
            "linear" => Ok(Scheduled::Linear(Line { start: None, end: 0.0, warmup: 0 })),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Scheduled, M::Error> {
        Line::deserialize(MapAccessDeserializer::new(map)).map(Scheduled::Linear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Scheduled, String> {
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        table["x"].clone().try_into().map_err(|e: toml::de::Error| e.message().to_string())
    }

    /// A number stays; a line rises over the warm-up, is at its start then, half way in the middle, and at its end with
    /// the last step and after it.
    #[test]
    fn a_line_goes_from_its_start_to_its_end() {
        let at = |x: Scheduled, steps| x.at(Progress { steps, of: 1100 });
        assert_eq!((at(read("2").unwrap(), 0), at(read("2.5").unwrap(), 900)), (2.0, 2.5));
        let line = read("{ start = 4.0, end = 1.0, warmup = 100 }").unwrap();
        let values = [0, 25, 100, 600, 1100, 2000].map(|steps| at(line, steps));
        assert_eq!(values, [0.0, 1.0, 4.0, 2.5, 1.0, 1.0]);
        assert_eq!(at(read("{ start = 4.0 }").unwrap(), 275), 3.0);
        assert_eq!((line.at(Progress::START), read("{ start = 4.0 }").unwrap().at(Progress::START)), (0.0, 4.0));
        // A warm-up that is longer than the run is all that the run sees.
        assert_eq!(line.at(Progress { steps: 50, of: 60 }), 2.0);
    }

    /// Another word, and a line with a key that it does not have, are refused with the ways to write a schedule or with
    /// the key.
    #[test]
    fn what_is_no_schedule_is_refused() {
        assert!(read("\"cosine\"").unwrap_err().contains("a number, \"linear\", or a schedule such as"));
        assert!(read("{ start = 1.0, stop = 2.0 }").unwrap_err().contains("`stop`"));
        assert_eq!(read("{ start = 0.5, end = 0.25, warmup = 7 }").unwrap().to_string(), {
            "{ start = 0.5, end = 0.25, warmup = 7 }"
        });
    }
}
