//! Numbers of flags: what each may be, in words that say what to write.

use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::error::{ContextKind, ErrorKind};

/// Returns a function that reads a whole number within `range`.
pub fn whole<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + std::fmt::Display + Send + Sync + Clone + 'static,
{
    move |text| {
        let (least, most) = (range.start(), range.end());
        let number = text.replace('_', "").parse().ok().filter(|n| range.contains(n));
        number.ok_or_else(|| format!("it must be a whole number from {least} to {most}"))
    }
}

/// Reads the seed of a random stream.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(0..=u64::MAX)(text)
}

/// Reads a number of threads.
pub fn threads(text: &str) -> Result<usize, String> {
    whole(1..=1024)(text)
}

/// Returns what to say of the error `e` where the value of a flag is none that it may have: the flag, the value, and
/// what to write.
pub fn mistake(e: &clap::Error) -> Option<String> {
    let text = |kind| e.get(kind).map(ToString::to_string);
    let flag = text(ContextKind::InvalidArg)?;
    let flag = flag.split([' ', '=']).next()?;
    match (e.kind(), text(ContextKind::InvalidValue)) {
        (ErrorKind::ValueValidation, Some(value)) => {
            let why = std::error::Error::source(e)?;
            Some(format!("`{flag}` is {}; {why}", value.escape_debug()))
        }
        (ErrorKind::InvalidValue, Some(value)) if value.is_empty() => {
            Some(format!("`{flag}` has no value; write it behind the flag, as in `{flag} VALUE`"))
        }
        _ => None,
    }
}
