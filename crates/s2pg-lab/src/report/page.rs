//! A report as one file: a page that needs no network, no other file and no script.

use super::Report;
use super::groups::Group;
use super::table::FEW;
use crate::numbers::{count, duration, significant};

/// What a page looks like: it fits a telephone, and follows the reader's choice of light or dark.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2329;--paper:#fff;--line:#d9dee3;--soft:#5c6670}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#15191d;--line:#343b42;--soft:#9aa5af}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70rem;margin:0 auto;padding:1rem}\
h1{line-height:1.2}figure{margin:1rem 0;background:#fff;border-radius:6px;padding:.5rem;overflow-x:auto}\
figure svg{max-width:100%;height:auto;min-width:34rem}div.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
td.n{text-align:right;white-space:nowrap}small,.soft{color:var(--soft)}pre{overflow-x:auto;font-size:13px}";

/// Returns the report as a page of HTML. `provenance` are pairs of what and how, such as the version and the processor.
pub(super) fn page(report: &Report, provenance: &[(String, String)]) -> String {
    let title = escaped(&report.title);
    let tables: String = report.environments().into_iter().map(|(name, groups)| table(name, &groups)).collect();
    let notes: String = report.notes.iter().map(|note| format!("<p class=soft>{}</p>\n", escaped(note))).collect();
    let pairs =
        provenance.iter().map(|(what, how)| format!("<tr><td>{}</td><td>{}</td></tr>\n", escaped(what), escaped(how)));
    let experiments = report.groups.iter().map(|group| {
        let seeds: Vec<String> = group.curves.iter().map(|curve| curve.seed.to_string()).collect();
        let name = format!("{} on {}, seeds {}", group.name, group.experiment.env.name, seeds.join(", "));
        let text = escaped(&group.experiment.to_toml());
        format!("<details><summary>{}</summary><pre>{text}</pre></details>\n", escaped(&name))
    });
    let before: String = report.tables.iter().map(|table| table.html()).collect();
    let (figure, explained) = match report.groups.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!("<figure>{}</figure>\n", inline(&report.figure().svg())),
            format!(
                "<p class=soft>The mean over seeds of the last return of the training, the interquartile mean, and 95 % \
                 intervals of the mean by a bootstrap over seeds. Below {FEW} seeds an interval indicates and does not \
                 prove.</p>\n"
            ),
        ),
    };
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n\
         {before}{figure}{tables}{notes}{explained}\
         <h2>How it was made</h2>\n<div class=wide><table>{}</table></div>\n\
         <h2>Every key of every experiment</h2>\n<p class=soft>Save one as a .toml file, and train it with \
         <code>s2pg train file.toml</code>.</p>\n{}</html>\n",
        pairs.collect::<String>(),
        experiments.collect::<String>(),
    )
}

/// The picture without what belongs to a file of its own.
fn inline(svg: &str) -> &str {
    svg.find("<svg").map_or(svg, |start| &svg[start..])
}

fn table(environment: &str, groups: &[&Group]) -> String {
    let rows: String = groups.iter().map(|group| row(group)).collect();
    format!(
        "<h2>{}</h2>\n<div class=wide><table><tr><th>run<th>steps<th>training return<th>95 % interval<th>interquartile \
         mean<th>evaluation<th>time<th>each seed: training, evaluation</tr>\n{rows}</table></div>\n",
        escaped(environment)
    )
}

fn row(group: &Group) -> String {
    let all = group.summary();
    let number = |x: Option<f64>| x.map_or("-".into(), significant);
    let interval = match (all.training, all.seeds) {
        (Some(_), 1) => "1 seed: none".into(),
        (Some(e), n) => {
            format!("{} to {} <small>({})</small>", significant(e.low), significant(e.high), count(n, "seed"))
        }
        (None, _) => "no episode has ended yet".into(),
    };
    let each: Vec<String> = group
        .curves
        .iter()
        .map(|c| format!("{}: {}, {}", c.seed, number(c.last_return()), number(c.last_evaluation())))
        .collect();
    let cells = [
        all.steps.map_or("-".into(), |steps| steps.to_string()),
        number(all.training.map(|e| e.value)),
        interval,
        number(group.interquartile_mean()),
        number(all.evaluation),
        all.seconds.map_or("-".into(), duration),
    ];
    let cells: String = cells.iter().map(|cell| format!("<td class=n>{cell}")).collect();
    format!("<tr><td>{}{cells}<td><small>{}</small></tr>\n", escaped(&group.name), each.join("; "))
}

/// A text in which nothing is markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
