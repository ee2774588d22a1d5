//! Tables of the keys of an experiment, which state every key with its type, default, range and meaning in one place:
//! structs, defaults, checks, messages, the book's table and `s2pg keys` come from there.

use std::fmt::{self, Display};

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

/// The range in which a number of an experiment must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Any value that the key can have.
    Any,
    /// A finite number.
    Finite,
    /// A whole number from 1 on.
    AtLeastOne,
    /// A whole number from 2 on.
    AtLeastTwo,
    /// A finite number above 0.
    Positive,
    /// A finite number from 0 on.
    NotNegative,
    /// A number from 0 to 1, both included.
    Fraction,
    /// A number between 0 and 1, both excluded.
    InnerFraction,
    /// A number from 0 to this one, both included.
    UpTo(u32),
    /// A number above 0, and up to this one.
    PositiveUpTo(u32),
}

impl Limit {
    /// Refuses a value of the key `key` that is out of range, in one sentence.
    pub fn check(self, key: &str, value: &impl Value) -> Result<(), String> {
        value.check(key, self)
    }

    /// Refuses the number `x` of the key `key` where it is out of range, in one sentence.
    pub fn check_number(self, key: &str, x: f64) -> Result<(), String> {
        // Networks compute in single precision, where a number that is too small is 0.
        let vanishes = x > 0.0 && x as f32 == 0.0;
        let holds = match self {
            Self::Positive | Self::InnerFraction | Self::PositiveUpTo(_) if vanishes => false,
            Self::Any => true,
            Self::Finite => x.is_finite(),
            Self::AtLeastOne => x >= 1.0,
            Self::AtLeastTwo => x >= 2.0,
            Self::Positive => x > 0.0 && x.is_finite(),
            Self::NotNegative => x >= 0.0 && x.is_finite(),
            Self::Fraction => (0.0..=1.0).contains(&x),
            Self::InnerFraction => x > 0.0 && x < 1.0,
            Self::UpTo(most) => (0.0..=f64::from(most)).contains(&x),
            Self::PositiveUpTo(most) => x > 0.0 && x <= f64::from(most),
        };
        let plain = x == 0.0 || (1e-5..1e15).contains(&x.abs());
        let shown = if plain { x.to_string() } else { format!("{x:e}") };
        let why = if vanishes { ", which is 0 in single precision" } else { "" };
        if holds { Ok(()) } else { Err(format!("`{key}` is {shown}{why}; it must be {}", self.text())) }
    }

    /// Returns the range in words that follow "it must be".
    fn text(self) -> String {
        match self {
            Self::Any => "any".into(),
            Self::Finite => "a number".into(),
            Self::AtLeastOne => "at least 1".into(),
            Self::AtLeastTwo => "at least 2".into(),
            Self::Positive => "a number above 0".into(),
            Self::NotNegative => "0 or more".into(),
            Self::Fraction => "between 0 and 1".into(),
            Self::InnerFraction => "above 0 and below 1".into(),
            Self::UpTo(most) => format!("between 0 and {most}"),
            Self::PositiveUpTo(most) => format!("above 0 and at most {most}"),
        }
    }

    /// Returns the range in words that follow "a number"; empty where the limit allows every number.
    fn range(self) -> String {
        match self {
            Self::Any | Self::Finite => String::new(),
            Self::AtLeastOne => "from 1 on".into(),
            Self::AtLeastTwo => "from 2 on".into(),
            Self::Positive => "above 0".into(),
            Self::NotNegative => "from 0 on".into(),
            Self::Fraction => "from 0 to 1".into(),
            Self::InnerFraction => "above 0 and below 1".into(),
            Self::UpTo(most) => format!("from 0 to {most}"),
            Self::PositiveUpTo(most) => format!("above 0 and at most {most}"),
        }
    }
}

/// A value of an experiment that a [`Limit`] can check.
pub(crate) trait Value {
    /// Returns the value as a number; None where the value is no number.
    fn number(&self) -> Option<f64> {
        None
    }
    /// Refuses the value of the key `key` where it is out of range, in one sentence.
    fn check(&self, key: &str, limit: Limit) -> Result<(), String> {
        self.number().map_or(Ok(()), |x| limit.check_number(key, x))
    }
    /// Takes from the default what the value leaves open.
    fn complete(&mut self, _default: &Self) {}
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

impl Value for Option<usize> {
    fn number(&self) -> Option<f64> {
        self.map(|x| x as f64)
    }
}

impl Value for u64 {}
impl Value for bool {}
impl Value for String {}
impl Value for Option<String> {}

/// What a key of an experiment may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from 0 on.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// A name.
    Name,
    /// A number, or a schedule of a number.
    Schedule,
    /// A number, or this word.
    NumberOr(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Something that the type of the key reads itself.
    Own,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole number"),
            Self::Number => f.write_str("number"),
            Self::Flag => f.write_str("true or false"),
            Self::Name => f.write_str("name"),
            Self::Schedule => f.write_str("number or schedule"),
            Self::NumberOr(word) => write!(f, "number or \"{word}\""),
            Self::Word([words @ .., last]) => {
                words
                    .iter()
                    .try_for_each(|word| write!(f, "\"{word}\"{}", if words.len() > 1 { ", " } else { " " }))?;
                write!(f, "or \"{last}\"")
            }
            Self::Word([]) => f.write_str("word"),
            Self::Own => f.write_str("as its meaning says"),
        }
    }
}

impl Kind {
    /// Returns what values of the type `T` are, by asking the type what it would read.
    fn of<T: DeserializeOwned>() -> Self {
        T::deserialize(Question).map_or_else(|answer| answer.0, |_| Self::Own)
    }
}

/// A source of values that holds none: its error tells what a type wanted to read.
struct Question;

/// What a type wanted to read.
#[derive(Debug)]
struct Answer(Kind);

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Answer {}

impl serde::de::Error for Answer {
    fn custom<T: Display>(_: T) -> Self {
        Self(Kind::Own)
    }
}

impl<'de> Deserializer<'de> for Question {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Own))
    }
    fn deserialize_u64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Whole))
    }
    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Number))
    }
    fn deserialize_bool<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Flag))
    }
    fn deserialize_string<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Name))
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, _: V) -> Result<V::Value, Answer> {
        Err(Answer(if name == "Scheduled" { Kind::Schedule } else { Kind::NumberOr(name) }))
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(Kind::Word(words)))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char str bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A table of an experiment.
#[derive(Clone, Debug)]
pub struct Table {
    /// Name of the table, such as `ppo`; empty for the keys at the top of an experiment.
    pub name: &'static str,
    /// What the table is, in whole sentences.
    pub about: &'static str,
    /// The keys of the table.
    pub keys: Vec<Key>,
}

/// A key of an experiment.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name of the key within its table.
    pub name: &'static str,
    /// The key as an override writes it, such as `ppo.clip`.
    pub path: String,
    /// What the key may be.
    pub kind: Kind,
    limit: Limit,
    /// Whether the key has no default because every experiment must set it.
    pub is_required: bool,
    /// The value of a key that is not set; None where there is no value then.
    pub default: Option<toml::Value>,
    /// Algorithms that were published with another value, with that value: experiments of theirs that do not set the
    /// key have it.
    pub published: Vec<(String, toml::Value)>,
    /// What the key means, in whole sentences.
    pub meaning: &'static str,
    read: fn(toml::Value) -> Result<(), String>,
}

impl Key {
    /// Makes the key `name` of the table `table` with values of the type `T`; an experiment must set a key without
    /// `default`.
    pub(crate) fn new<T: DeserializeOwned + Serialize>(
        table: &str,
        name: &'static str,
        meaning: &'static str,
        limit: Limit,
        default: Option<T>,
    ) -> Self {
        Self {
            name,
            path: if table.is_empty() { name.into() } else { format!("{table}.{name}") },
            kind: Kind::of::<T>(),
            limit,
            is_required: default.is_none(),
            default: default.and_then(|default| toml::Value::try_from(default).ok()),
            published: Vec::new(),
            meaning: meaning.trim(),
            read: |value| match T::deserialize(value) {
                Ok(_) => Ok(()),
                Err(e) => Err(e.message().to_string()),
            },
        }
    }

    /// Returns the range of the numbers that the key may be, such as `above 0`; empty where the key is no number.
    pub fn range(&self) -> String {
        match (self.kind, self.limit.range()) {
            (Kind::Whole, range) if range.is_empty() => "from 0 on".into(),
            (Kind::Number, range) if range.is_empty() => "any".into(),
            (_, range) => range,
        }
    }

    /// Returns the range in words that follow "it must be", such as `at least 1`; `any` where there is no limit.
    pub fn limit(&self) -> String {
        self.limit.text()
    }

    /// Returns the default in words, with those of the algorithms that were published with another.
    pub fn default_in_words(&self) -> String {
        let mut text = match &self.default {
            Some(default) => default.to_string(),
            None if self.is_required => "must be set".into(),
            None => "none".into(),
        };
        for (i, (_, value)) in self.published.iter().enumerate() {
            let same = |other: &&(String, toml::Value)| other.1 == *value;
            if !self.published[..i].iter().any(|other| same(&other)) {
                let of: Vec<&str> = self.published.iter().filter(same).map(|(of, _)| of.as_str()).collect();
                text += &format!("; {value} for {}", of.join(", "));
            }
        }
        text
    }

    /// Returns what the key must be, in words that follow "it must be", with an example.
    fn wanted(&self) -> String {
        let example = self.default.as_ref().map(toml::Value::to_string);
        match self.kind {
            Kind::Whole => {
                format!(
                    "a whole number {}, such as {}",
                    self.range(),
                    example.unwrap_or_else(|| "100000 or 1e5".into())
                )
            }
            Kind::Number => {
                let range = self.limit.range();
                let gap = if range.is_empty() { "" } else { " " };
                format!("a number{gap}{range}, such as {}", example.unwrap_or_else(|| "0.5".into()))
            }
            Kind::Schedule => {
                let (number, range) = (example.unwrap_or_else(|| "3e-4".into()), self.limit.range());
                format!(
                    "a number {range}, such as {number}, \"linear\", or a schedule such as {{ start = {number}, end = 0.0, warmup = 1000 }}"
                )
            }
            Kind::NumberOr(word) => format!("\"{word}\", or a number {}", self.limit.range()),
            Kind::Flag | Kind::Word(_) => self.kind.to_string(),
            Kind::Name | Kind::Own => format!("a {}", self.kind),
        }
    }

    /// Returns `value` in the type of the key, or refuses it in one sentence. `shown` is how the value was written. A
    /// whole number may be written as 1e5 or 100000.0.
    pub(crate) fn fit(&self, value: toml::Value, shown: &str) -> Result<toml::Value, String> {
        /// Up to here every whole number has a form with a point or an exponent of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        const LONGEST_NAME: usize = 200;
        use toml::Value::{Boolean, Float, Integer, String, Table};
        let fitting = match (self.kind, value) {
            (Kind::Whole, Integer(n)) if n >= 0 => Integer(n),
            (Kind::Whole, Float(x)) if x.fract() == 0.0 && (0.0..=EXACT).contains(&x) => Integer(x as i64),
            (Kind::Whole, Float(x)) if x > EXACT => {
                let path = &self.path;
                return Err(format!(
                    "`{path}` is {shown}, which is too large; the largest whole number is {}, written in digits",
                    i64::MAX
                ));
            }
            (Kind::Number | Kind::NumberOr(_), Integer(n)) => Float(n as f64),
            (Kind::Number | Kind::NumberOr(_), Float(x)) => Float(x),
            (Kind::NumberOr(word), String(name)) if name == word => String(name),
            (Kind::Flag, Boolean(flag)) => Boolean(flag),
            (Kind::Name, String(name)) if name.len() <= LONGEST_NAME && !name.contains(char::is_control) => {
                String(name)
            }
            (Kind::Word(words), String(word)) if words.contains(&word.as_str()) => String(word),
            (Kind::Schedule, Integer(n)) => Float(n as f64),
            (Kind::Schedule, Float(x)) => Float(x),
            (Kind::Schedule, String(word)) if word == "linear" => String(word),
            (Kind::Schedule, Table(line)) => Table(self.line(line)?),
            (Kind::Own, value) => value,
            _ => return Err(format!("`{}` is {shown}; it must be {}", self.path, self.wanted())),
        };
        (self.read)(fitting.clone())?;
        Ok(fitting)
    }
}

impl Key {
    /// Returns the parts of a schedule in their types, or refuses one that is not known or does not fit.
    fn line(&self, line: toml::Table) -> Result<toml::Table, String> {
        let part = |(name, value): (String, toml::Value)| {
            let fitting = match (name.as_str(), value) {
                ("start" | "end", toml::Value::Integer(n)) => toml::Value::Float(n as f64),
                ("start" | "end", toml::Value::Float(x)) => toml::Value::Float(x),
                ("warmup", toml::Value::Integer(n)) if n >= 0 => toml::Value::Integer(n),
                ("warmup", toml::Value::Float(x)) if x.fract() == 0.0 && (0.0..1e15).contains(&x) => {
                    toml::Value::Integer(x as i64)
                }
                _ => {
                    return Err(format!(
                        "`{}` is a schedule that does not fit; it must be {}",
                        self.path,
                        self.wanted()
                    ));
                }
            };
            Ok((name, fitting))
        };
        line.into_iter().map(part).collect()
    }
}

/// Returns the text of an attribute that is a comment for documentation, and nothing of any other attribute.
macro_rules! comment {
    (doc = $text:expr) => {
        $text
    };
    ($($other:tt)*) => {
        ""
    };
}
pub(crate) use comment;

/// Describes the keys of a table as a [`Table`].
macro_rules! describe {
    (
        [$([$($about:tt)*])*] $table:literal
        $($([$($doc:tt)*])* $key:ident: $type:ty $(= $default:expr)?, $limit:ident $(($most:literal))?;)+
    ) => {
        $crate::plan::keys::Table {
            name: $table,
            about: concat!($($crate::plan::keys::comment!($($about)*)),*).trim(),
            keys: vec![$({
                let meaning = concat!($($crate::plan::keys::comment!($($doc)*)),*);
                let default: &[fn() -> $type] = &[$(|| $default)?];
                let limit = $crate::plan::keys::Limit::$limit $(($most))?;
                let default = default.first().map(|make| make());
                $crate::plan::keys::Key::new::<$type>($table, stringify!($key), meaning, limit, default)
            }),+],
        }
    };
}
pub(crate) use describe;

/// Defines a table of an experiment: a struct, `table`, which describes its keys, and `limits`, which refuses values
/// out of range. Behind `and` come fields that are no keys.
macro_rules! table {
    (
        $(#[$($about:tt)*])*
        $name:ident $table:literal {
            $($(#[$($doc:tt)*])* $key:ident: $type:ty $(= $default:expr)?, $limit:ident $(($most:literal))?;)+
        }
        $(and {
            $($(#[$($other_doc:tt)*])* $other:ident: $other_type:ty;)+
        })?
    ) => {
        $(#[$($about)*])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$($doc)*])* pub $key: $type,)+
            $($($(#[$($other_doc)*])* pub $other: $other_type,)+)?
        }

        impl $name {
            /// Describes the keys of the table.
            pub(crate) fn table() -> $crate::plan::keys::Table {
                $crate::plan::keys::describe! {
                    [$([$($about)*])*] $table
                    $($([$($doc)*])* $key: $type $(= $default)?, $limit $(($most))?;)+
                }
            }

            /// Refuses values that are out of range, in one sentence.
            pub(crate) fn limits(&self) -> Result<(), String> {
                let table = if $table.is_empty() { String::new() } else { format!("{}.", $table) };
                $($crate::plan::keys::Limit::$limit $(($most))?.check(&format!("{table}{}", stringify!($key)), &self.$key)?;)+
                Ok(())
            }
        }
    };
}
pub(crate) use table;
