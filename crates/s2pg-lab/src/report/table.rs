//! The table of a report.

use super::groups::Group;
use crate::numbers::{count, duration, significant};

/// Below this number of seeds an interval indicates and does not prove.
pub(super) const FEW: usize = 10;

/// Final values of every group, each seed shown; each environment has a table of its own.
pub(super) fn table(environments: &[(&str, Vec<&Group>)]) -> String {
    let tables = environments.iter().map(|(environment, groups)| {
        let rows: String = groups.iter().map(|group| row(group)).collect();
        format!(
            "## {environment}\n\n\
             | run | steps | training return | 95 % interval over seeds | evaluation (deterministic) | time | each seed: \
             training, evaluation |\n|---|---|---|---|---|---|---|\n{rows}"
        )
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn row(group: &Group) -> String {
    let all = group.summary();
    let number = |x: Option<f64>| x.map_or("-".into(), significant);
    let Some(training) = all.training else {
        let steps = all.steps.map_or("no step is logged yet".into(), |steps| format!("{steps} steps"));
        return format!("| {} | no episode has ended yet: {steps} | | | | | |\n", group.name);
    };
    let interval = match all.seeds {
        1 => "1 seed: none".into(),
        n => {
            let few = if n < FEW { ", indicative" } else { "" };
            format!("{} to {} ({}{few})", significant(training.low), significant(training.high), count(n, "seed"))
        }
    };
    let each = group
        .curves
        .iter()
        .map(|c| format!("{}: {}, {}", c.seed, number(c.last_return()), number(c.last_evaluation())));
    format!(
        "| {} | {} | {} | {interval} | {} | {} | {} |\n",
        group.name,
        all.steps.map_or("-".into(), |steps| steps.to_string()),
        significant(training.value),
        number(all.evaluation),
        all.seconds.map_or("-".into(), duration),
        each.collect::<Vec<_>>().join("; ")
    )
}
