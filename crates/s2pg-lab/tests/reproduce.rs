//! Each table and figure names presets that are there and claims that ask about its methods; what fits into a budget
//! takes no longer than the budget; and a claim is decided by an interval of enough seeds and steps only.

use s2pg_lab::reproduce::{CLAIMS, Cell, Costs, Evidence, ITEMS, Item, Subset, Verdict, experiment};

/// Every cell is an experiment of the algorithm that its name says, in the task; and every claim of an item asks about
/// one of its methods at least.
#[test]
fn items_are_whole() {
    for item in &ITEMS {
        assert!(item.core <= item.methods.len(), "{}", item.name);
        for task in item.tasks {
            for method in item.methods {
                let found =
                    experiment(method, task, &[]).unwrap_or_else(|e| panic!("{} {}: {e}", item.name, method.name));
                let algorithm = method.name.split('-').next().unwrap();
                assert_eq!((found.algorithm.name(), &*found.env.name), (algorithm, task.env), "{}", method.name);
            }
        }
        for claim in item.claims() {
            let asks = |name: &str| claim.checks.iter().any(|check| check.methods().contains(&name));
            assert!(item.methods.iter().any(|method| asks(method.name)), "{} {}", item.name, claim.name);
        }
    }
    let touched = |name: &str| ITEMS.iter().any(|item| item.claims.contains(&name));
    assert!(CLAIMS.iter().all(|claim| touched(claim.name)));
}

fn costs(item: &Item, second: f64) -> Costs {
    let row = |task| item.methods.iter().map(|method| experiment(method, task, &[]).unwrap()).collect::<Vec<_>>();
    let experiments: Vec<_> = item.tasks.iter().map(row).collect();
    Costs { seconds: vec![vec![second; item.methods.len()]; item.tasks.len()], experiments }
}

/// The largest subset fits, grows with the budget, and is everything where the budget is large enough; the methods that
/// count most are the last to go.
#[test]
fn subsets_fit() {
    let item = Item::find("figure-10").unwrap();
    let costs = costs(item, 1e-3);
    let whole = Subset { tasks: 5, methods: 7, seeds: 10, share: 1.0 };
    assert_eq!(costs.of(&whole), 5.0 * 7.0 * 10.0 * 5e6 * 1e-3);
    assert_eq!(costs.largest(item.core, 2.0 * costs.of(&whole)).unwrap(), whole);
    assert_eq!(costs.largest(item.core, 0.9 * costs.least(item.core)), None);
    let mut before = 0.0;
    for i in 0..200 {
        let budget = 1.1 * costs.least(item.core) * 1.05_f64.powi(i);
        let found = costs.largest(item.core, budget).unwrap();
        let took = costs.of(&found);
        assert!(took <= budget && took > 0.3 * budget.min(costs.of(&whole)), "{budget}: {found:?} takes {took}");
        assert!(found.methods >= item.core && (found.tasks == 1 || found.methods == 7), "{found:?}");
        assert!(took >= 0.5 * before, "{found:?}");
        before = took;
    }
}

/// A campaign has each seed of each cell once, all cells of the first seed first, and says what was left out.
#[test]
fn a_subset_is_a_campaign() {
    let item = Item::find("figure-10").unwrap();
    let subset = Subset { tasks: 2, methods: 3, seeds: 4, share: 0.01 };
    let (campaign, cells) = subset.campaign(item, &["ppo.clip=0.3".into(), "sac.tau=0.1".into()]).unwrap();
    assert_eq!((campaign.runs.len(), cells.len()), (24, 24));
    assert_eq!(cells[..4], [(0, 0), (0, 1), (0, 2), (1, 0)]);
    for run in &campaign.runs {
        let e = &run.experiment;
        assert_eq!((e.steps, e.ppo.clip, e.evaluation.every), (50_000, 0.3, 0));
    }
    let told = subset.told(item, &campaign, &cells).unwrap();
    assert!(told.contains("4 seeds of the published 10, and 1 % of the published steps"), "{told}");
    assert!(told.contains("Tasks left out: hopper, walker2d, humanoid.") && told.contains("ppo-bptt-32"), "{told}");
}

fn cell(method: &'static str, task: &'static str, last: &[f64], seconds: &[f64], steps: usize) -> Cell {
    Cell { method, task, first: vec![0.0; last.len()], last: last.into(), seconds: seconds.into(), steps: (steps, 100) }
}

/// A claim about returns is decided at enough seeds and steps in all of its tasks; one about times whatever the steps.
#[test]
fn verdicts_are_honest() {
    let claim = |name: &str| CLAIMS.iter().find(|claim| claim.name == name).unwrap();
    let high = [100.0, 101.0, 102.0, 99.0];
    let low = [50.0, 51.0, 52.0, 49.0];
    let of = |rs: &[f64], bptt: &[f64], steps| {
        let cells = ["ppo-rs", "ppo-bptt-5", "ppo-bptt-32"].into_iter().enumerate();
        let cells = cells.map(|(i, m)| cell(m, "ant", if i == 0 { rs } else { bptt }, &[1.0 + i as f64; 3], steps));
        Evidence { cells: cells.collect(), left_out: Vec::new() }
    };
    let judged = |evidence: &Evidence, name: &str| claim(name).judge(evidence).0;
    assert_eq!(judged(&of(&high, &low, 100), "C7"), Verdict::Holds);
    assert_eq!(judged(&of(&low, &high, 100), "C7"), Verdict::Fails);
    assert_eq!(judged(&of(&high, &low, 10), "C7"), Verdict::Undecided);
    assert_eq!(judged(&of(&high[..2], &low[..2], 100), "C7"), Verdict::Undecided);
    assert_eq!(judged(&of(&[10.0, 90.0, 40.0, 60.0], &[60.0, 40.0, 90.0, 10.0], 100), "C7"), Verdict::Undecided);
    let partial = Evidence { left_out: vec!["hopper"], ..of(&high, &low, 100) };
    assert_eq!(judged(&partial, "C7"), Verdict::Undecided);
    let (_, findings) = claim("C7").judge(&of(&high, &low, 10));
    assert!(
        findings[0].scope.contains("10 % of the published steps; so far it holds, with too few steps"),
        "{findings:?}"
    );
    // Times tell at any number of steps; about the same time is neither much more nor much less. Nothing is said of
    // what was not measured.
    let of_times = |times: [f64; 3]| {
        let cells = ["ppo-rs", "ppo-bptt-5", "ppo-bptt-32"].into_iter().zip(times);
        Evidence { cells: cells.map(|(m, t)| cell(m, "ant", &[], &[t; 3], 10)).collect(), left_out: Vec::new() }
    };
    assert_eq!(judged(&of_times([1.0, 1.3, 3.0]), "C10"), Verdict::Holds);
    assert_eq!(judged(&of_times([1.0, 5.0, 30.0]), "C10"), Verdict::Fails);
    assert_eq!(judged(&of_times([1.0, 1.3, 1.1]), "C10"), Verdict::Fails);
    let (verdict, findings) = claim("C1").judge(&of(&high, &low, 100));
    assert!(verdict == Verdict::Undecided && findings.iter().all(|f| f.scope == "not measured"), "{findings:?}");
}
