//! The numbers that were published.

/// A row of the published tables: an algorithm in a task.
pub struct Row {
    /// The algorithm.
    pub algorithm: &'static str,
    /// The task, by the name of its presets.
    pub task: &'static str,
    /// Hours for 1,000,000 environment steps, in the order of [`COLUMNS`].
    pub hours: [f64; 7],
    /// Times as a multiple of that of `vanilla`, in the same order; NaN where nothing was published.
    pub factors: [f64; 7],
}

/// The columns, by the names of the methods behind their algorithm.
pub const COLUMNS: [&str; 7] = ["bptt-5", "bptt-32", "window-5", "window-32", "vanilla", "oracle", "rs"];

/// Cells that are most likely misprints, as (algorithm, task, column), and why.
pub const DOUBTFUL: [(&str, &str, &str); 3] = [
    ("ppo", "humanoid", "window-5"),
    ("ppo", "humanoid", "window-32"),
    // Printed as 17.9 hours; the factor of the same cell says 7.9.
    ("sac", "humanoid", "rs"),
];

const fn row(algorithm: &'static str, task: &'static str, hours: [f64; 7], f: [f64; 5]) -> Row {
    Row { algorithm, task, hours, factors: [f[0], f[1], f[2], f[3], 1.0, f64::NAN, f[4]] }
}

/// Tables 1 and 2, of four cores.
pub const ROWS: [Row; 15] = [
    row("sac", "ant", [7.8, 30.4, 4.8, 10.6, 2.8, 2.5, 6.2], [2.804, 10.935, 1.730, 3.822, 2.241]),
    row("sac", "hopper", [6.8, 22.3, 3.5, 4.5, 2.3, 2.2, 5.9], [2.935, 9.599, 1.497, 1.956, 2.531]),
    row("sac", "half-cheetah", [6.9, 27.1, 3.7, 5.1, 2.3, 2.4, 6.0], [3.022, 11.859, 1.614, 2.213, 2.610]),
    row("sac", "humanoid", [10.1, 32.9, 6.5, 14.1, 3.4, 3.3, 7.9], [2.936, 9.580, 1.887, 4.106, 2.290]),
    row("sac", "walker2d", [6.8, 22.7, 3.7, 4.6, 2.4, 2.3, 6.0], [2.878, 9.597, 1.578, 1.948, 2.526]),
    row("td3", "ant", [3.0, 6.6, 2.3, 3.8, 1.5, 1.5, 3.0], [2.024, 4.535, 1.546, 2.620, 2.056]),
    row("td3", "hopper", [2.6, 4.5, 1.9, 2.1, 1.3, 1.3, 2.8], [2.012, 3.476, 1.489, 1.643, 2.146]),
    row("td3", "half-cheetah", [2.6, 5.8, 2.0, 2.4, 1.3, 1.2, 2.7], [2.069, 4.606, 1.555, 1.864, 2.120]),
    row("td3", "humanoid", [3.6, 8.1, 2.7, 5.2, 1.8, 1.8, 3.6], [2.037, 4.555, 1.512, 2.896, 2.024]),
    row("td3", "walker2d", [2.4, 5.1, 1.9, 2.2, 1.3, 1.3, 2.9], [1.913, 4.024, 1.527, 1.724, 2.245]),
    row("ppo", "ant", [2.8, 3.3, 0.7, 1.6, 0.4, 0.6, 2.1], [7.845, 9.457, 2.120, 4.637, 5.815]),
    row("ppo", "hopper", [2.5, 3.1, 0.5, 0.5, 0.3, 0.4, 1.8], [9.128, 11.194, 1.706, 1.825, 6.602]),
    row("ppo", "half-cheetah", [2.5, 3.1, 0.5, 0.6, 0.4, 0.4, 2.2], [6.888, 8.454, 1.331, 1.536, 6.023]),
    row("ppo", "humanoid", [2.9, 3.5, 3.5, 3.5, 0.5, 0.7, 2.1], [6.018, 7.183, 7.183, 7.183, 4.264]),
    row("ppo", "walker2d", [2.5, 3.1, 0.5, 0.5, 0.3, 0.4, 1.8], [8.735, 10.698, 1.666, 1.829, 6.048]),
];

/// The row of an algorithm in a task.
pub fn find(algorithm: &str, task: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.algorithm == algorithm && row.task == task)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factors are those of the hours, within the rounding of the hours, and their means are those of the text.
    #[test]
    fn factors_are_those_of_the_hours() {
        for Row { algorithm, task, hours, factors } in &ROWS {
            for (i, column) in COLUMNS.iter().enumerate().filter(|(i, _)| factors[*i].is_finite()) {
                let (low, high) = ((hours[i] - 0.05) / (hours[4] + 0.05), (hours[i] + 0.05) / (hours[4] - 0.05));
                assert!((low..=high).contains(&factors[i]), "{algorithm} {task} {column}: {low} {} {high}", factors[i]);
            }
        }
        let rs_over_bptt = |algorithm: &str| {
            let of = ROWS.iter().filter(|row| row.algorithm == algorithm).map(|row| row.factors[1] / row.factors[6]);
            of.sum::<f64>() / 5.0
        };
        for (algorithm, published) in [("sac", 4.24), ("td3", 2.01), ("ppo", 1.64)] {
            assert!((rs_over_bptt(algorithm) - published).abs() < 0.05, "{algorithm}: {}", rs_over_bptt(algorithm));
        }
    }
}
