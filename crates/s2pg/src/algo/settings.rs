//! Tables of settings: every key with its default, its range, and what it means, in one place.

/// What a number of an experiment may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Anything.
    Any,
    /// Finite.
    Finite,
    /// A whole number from 1 on.
    AtLeastOne,
    /// A finite number above 0.
    Positive,
    /// A finite number from 0 on.
    NotNegative,
    /// Between 0 and 1, both included.
    Fraction,
}

impl Limit {
    /// Refuses a value of `key` that is out of range, in one sentence.
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

/// What a [`Limit`] looks at.
pub(crate) trait Value {
    /// The number; None where there is none.
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

/// Defines the settings of an algorithm: a struct with its defaults, and `limits`, which refuses what is out of range. The
/// fields behind `planned` are no keys of an experiment: the plan of a run sets them.
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
            /// Refuses what is out of range, in one sentence.
            fn limits(&self) -> Result<(), String> {
                $($crate::algo::settings::Limit::$limit
                    .check(concat!($table, ".", stringify!($key)), &self.$key)?;)+
                Ok(())
            }
        }
    };
}
pub(super) use settings;
