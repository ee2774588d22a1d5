//! Tables of settings, which state every key with its default, its range and its meaning in one place.

/// The range in which a number of an experiment must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Any number.
    Any,
    /// A finite number.
    Finite,
    /// A whole number from 1 on.
    AtLeastOne,
    /// A finite number above 0.
    Positive,
    /// A finite number from 0 on.
    NotNegative,
    /// A number from 0 to 1, both included.
    Fraction,
}

impl Limit {
    /// Refuses a value of the key `key` that is out of range, in one sentence.
    pub fn check(self, key: &str, value: &impl Value) -> Result<(), String> {
        let Some(x) = value.number() else { return Ok(()) };
        let (holds, what) = match self {
            Self::Any => (true, ""),
            Self::Finite => (x.is_finite(), "a number"),
            Self::AtLeastOne => (x >= 1.0, "at least 1"),
            Self::Positive => (x > 0.0 && x.is_finite(), "a number above 0"),
            Self::NotNegative => (x >= 0.0 && x.is_finite(), "0 or more"),
            Self::Fraction => ((0.0..=1.0).contains(&x), "between 0 and 1"),
        };
        if holds { Ok(()) } else { Err(format!("`{key}` is {x}; it must be {what}")) }
    }
}

/// A value of an experiment that a [`Limit`] can check.
pub(crate) trait Value {
    /// Returns the value as a number; None where the value is no number.
    fn number(&self) -> Option<f64> {
        None
    }
}

impl Value for usize {
    fn number(&self) -> Option<f64> {
        Some(*self as f64)
    }
}

impl Value for f64 {
    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Value for Option<f64> {
    fn number(&self) -> Option<f64> {
        *self
    }
}

impl Value for bool {}

/// Defines the settings of an algorithm: a struct with its defaults, and `limits`, which refuses values out of range.
/// The fields in `planned` are no keys of an experiment: the plan of a run sets them.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $table:literal {
            $($(#[$doc:meta])* $key:ident: $type:ty = $default:expr, $limit:ident;)+
        }
        planned {
            $($(#[$planned_doc:meta])* $planned:ident: bool;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $($(#[$doc])* pub $key: $type,)+
            $($(#[$planned_doc])* #[serde(skip)] pub $planned: bool,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($key: $default,)+ $($planned: false,)* }
            }
        }

        impl Settings {
            /// Refuses settings that are out of range, in one sentence.
            fn limits(&self) -> Result<(), String> {
                $($crate::algo::settings::Limit::$limit
                    .check(concat!($table, ".", stringify!($key)), &self.$key)?;)+
                Ok(())
            }
        }
    };
}
pub(super) use settings;
