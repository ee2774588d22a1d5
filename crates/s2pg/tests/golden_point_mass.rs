//! The point-mass tasks equal recorded rollouts of the official implementation: states, rewards, ends and both views.

mod common;

use common::Case;
use s2pg::env::{Env, Options, PointMass};

/// The entries of the published state that a view holds.
fn masked(state: &[f64], mask: &[f64]) -> Vec<f64> {
    state.iter().zip(mask).filter(|(_, m)| **m == 1.0).map(|(x, _)| *x).collect()
}

/// The published state: the place, and what is hidden as the policy and as the critic sees it. Both views of `env` are
/// this state under the masks, in single precision.
fn state(env: &PointMass, masks: &[Vec<f64>; 2]) -> Vec<f64> {
    let (mut o, mut s) = ([0.0; 4], [0.0; 4]);
    env.observe(&mut o, &mut s);
    let x = env.snapshot();
    let hidden = [x[4], x[5]];
    let shown = [0, 1].map(|i| if o[2 + i] == hidden[i] as f32 { hidden[i] } else { o[2 + i].into() });
    let interleaved = masks[0][3] == 0.0;
    let state = match (shown, hidden) {
        ([a, b], [c, d]) if interleaved => [x[0], x[1], a, c, b, d],
        ([a, b], [c, d]) => [x[0], x[1], a, b, c, d],
    };
    for (view, mask) in [o, s].iter().zip(masks) {
        assert_eq!(view[..], masked(&state, mask).iter().map(|&x| x as f32).collect::<Vec<_>>());
    }
    state.to_vec()
}

/// Every recorded step has the recorded next state, reward and end, and the views are the state under the masks.
#[test]
fn golden_point_mass() {
    let mut case = Case::open("envs_point_mass");
    let wide = toml::toml! { observable_radius = 90.0 };
    let tasks = [
        ("v1", "PointMass-v1", Options::new()),
        ("v2", "PointMass-v2", Options::new()),
        ("v3", "PointMass-v3", Options::new()),
        ("v3_r90", "PointMass-v3", wide),
        ("door", "PointMassDoor-v1", Options::new()),
    ];
    for (recorded, name, options) in tasks {
        let mut env = PointMass::new(name, &options).unwrap();
        assert_eq!(env.spec().horizon, case.size("horizon"));
        let order: [[f64; 6]; 2] = match name {
            "PointMassDoor-v1" => [[1.0, 1.0, 1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]],
            _ => [[1.0, 1.0, 1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]],
        };
        let masks = order.map(Vec::from);
        case.check(&format!("{recorded}.policy_mask"), &masks[0]);
        case.check(&format!("{recorded}.critic_mask"), &masks[1]);
        for trajectory in 0..4 {
            let of = |what: &str| format!("{recorded}.traj{trajectory}.{what}");
            let mut columns: [Vec<f64>; 5] = Default::default();
            let mut starts = true;
            for (k, (&a, &ends)) in case.get(&of("action")).iter().zip(case.get(&of("reset_after"))).enumerate() {
                if starts {
                    let s = masked(&case.get(&of("start"))[6 * k..][..6], &masks[1]);
                    env.restore(&[s[0], s[1], s[0], s[1], s[2], s[3], 1.0, 0.0, 0.0]).unwrap();
                }
                starts = ends == 1.0;
                let outcome = env.advance(a).unwrap();
                let next = state(&env, &masks);
                columns[1].push(outcome.r);
                columns[2].push(f64::from(outcome.terminated));
                columns[3].extend(masked(&next, &masks[0]));
                columns[4].extend(masked(&next, &masks[1]));
                columns[0].extend(next);
            }
            let names = ["next_state", "reward", "absorbing", "obs_policy", "obs_critic"];
            names.iter().zip(columns).for_each(|(name, column)| case.check(&of(name), &column));
        }
    }
    // Recorded resets depend on numpy's generator; a test beside the tasks holds ours against the table.
    case.assert_complete(&["resets"]);
}
