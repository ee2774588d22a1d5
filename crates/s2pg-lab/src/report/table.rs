//! The table of a report.

use s2pg::results::Curve;
use s2pg::results::statistics::mean;

use super::groups::Group;
use super::interval;

/// Final values of every group, each seed shown.
pub(super) fn table(groups: &[Group]) -> String {
    let mut text = String::from(
        "| run | steps | training return | 95 % interval | evaluation (deterministic) | hours | each seed: training, evaluation |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for group in groups {
        let last = |f: &dyn Fn(&Curve) -> Option<f64>| -> Vec<f64> { group.curves.iter().filter_map(f).collect() };
        let returns = last(&|c| c.returns.last().copied().filter(|r| r.is_finite()));
        let evaluations = last(&|c| c.deterministic.last().copied());
        let hours = last(&|c| c.seconds.last().map(|s| s / 3600.0));
        let steps = last(&|c| c.steps.last().copied()).into_iter().fold(f64::INFINITY, f64::min);
        if returns.is_empty() {
            text += &format!("| {} | no episode has ended yet | | | | | |\n", group.name);
            continue;
        }
        let estimate = interval(&returns);
        let seed = |c: &Curve| {
            let number = |x: Option<&f64>| x.map_or("-".into(), |x| format!("{x:.0}"));
            format!("{}: {}, {}", c.seed, number(c.returns.last()), number(c.deterministic.last()))
        };
        let seeds: Vec<String> = group.curves.iter().map(seed).collect();
        let few = if returns.len() < 10 { format!(" ({} seeds, indicative)", returns.len()) } else { String::new() };
        let evaluation = if evaluations.is_empty() { "-".into() } else { format!("{:.0}", mean(&evaluations)) };
        let hours = if hours.is_empty() { "-".into() } else { format!("{:.2}", mean(&hours)) };
        text += &format!(
            "| {} | {steps} | {:.0} | {:.0} to {:.0}{few} | {evaluation} | {hours} | {} |\n",
            group.name,
            estimate.value,
            estimate.low,
            estimate.high,
            seeds.join("; ")
        );
    }
    text
}
