//! Numbers for people: significant digits, and times in units that fit.

/// A number with four significant digits, without zeros at its end: `2424`, `-0.03125`, `1.5e-7`; `-` where it is not
/// finite.
pub fn significant(x: f64) -> String {
    match x.abs() {
        _ if !x.is_finite() => "-".into(),
        // The rest of a rounding is no figure.
        size if size < 1e-14 => "0".into(),
        size if !(1e-4..1e9).contains(&size) => {
            let text = format!("{x:.3e}");
            let (digits, power) = text.split_once('e').expect("a power of ten");
            format!("{}e{power}", without_zeros(digits))
        }
        size => {
            let digits = (3 - size.log10().floor() as i32).max(0) as usize;
            without_zeros(&format!("{x:.digits$}")).into()
        }
    }
}

/// A decimal number without the zeros behind its point that say nothing.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A time: seconds, minutes and seconds, or hours and minutes; in words where there is no number for it.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round();
    match s as u64 {
        _ if !seconds.is_finite() => "unknown time".into(),
        _ if s > 1e12 => "more time than there is".into(),
        0..10 if seconds >= 0.05 && (seconds - s).abs() >= 0.05 => format!("{seconds:.1} s"),
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// A number of things, which is one or many: `1 seed`, `3 seeds`.
pub fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A return is not rounded to an integer where that loses what it says, and no zero has a sign.
    #[test]
    fn digits_are_significant() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (-0.034_567, "-0.03457"),
            (0.5, "0.5"),
            (1.0, "1"),
            (-275.31, "-275.3"),
            (2424.4, "2424"),
            (123_456.7, "123457"),
            (1.5e-7, "1.5e-7"),
            (-2e12, "-2e12"),
            (9.9996, "10"),
            (f64::NAN, "-"),
        ];
        for (x, text) in cases {
            assert_eq!(significant(x), text);
        }
    }

    /// A time has a unit that fits, and one that no clock shows is said in words.
    #[test]
    fn times_have_units_that_fit() {
        let cases = [
            (0.0, "0 s"),
            (0.04, "0 s"),
            (0.25, "0.2 s"),
            (3.0, "3 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (61.0, "1 min 01 s"),
            (3661.0, "1 h 01 min"),
            (-5.0, "0 s"),
            (1e18, "more time than there is"),
            (f64::NAN, "unknown time"),
            (f64::INFINITY, "unknown time"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!([count(1, "seed"), count(3, "seed")], ["1 seed", "3 seeds"]);
    }
}
