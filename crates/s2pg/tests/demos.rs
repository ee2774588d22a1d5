//! Demonstrations: what a policy did is recorded and read again, numpy's archives are read, and what is no
//! demonstration of a task is refused in one sentence.

mod runs;

use std::path::Path;

use runs::{demos, experiment, registry};
use s2pg::data::npz::Limits;
use s2pg::data::{DemoShape, Demos, Replay, ReplayShape};
use s2pg::env::{EnvSpec, Options};
use s2pg::experiment::{Estimator, build, player};
use s2pg::policy::StatefulPolicy;
use s2pg::run::Run;
use s2pg::train::record;
use s2pg::{Experiment, Memory, Rng};

fn spec(env: &str) -> EnvSpec {
    registry().make(env, &Options::new()).unwrap().spec().clone()
}

fn read(path: &Path, spec: &EnvSpec) -> Result<Demos, String> {
    let shape = DemoShape { o: &spec.o, s: &spec.s, a: spec.low.len() };
    Demos::read(path, shape, Limits::default()).map_err(|e| e.to_string())
}

/// What is recorded is read again, number for number: whole episodes, in which each state is the next one of the step
/// before, and in which the policy's view is what it saw of the state.
#[test]
fn what_is_recorded_is_read() {
    for (env, length, absorbing) in [("TMaze-v0", 11, true), ("PendulumPOMDP-v1", 200, false)] {
        let spec = spec(env);
        let read = read(&demos(env), &spec).unwrap();
        assert_eq!((read.len(), read.sizes), (3 * length, [spec.o.len(), spec.s.len(), 1]), "{env}");
        let episodes: Vec<usize> = read.episodes().iter().map(|rows| rows.len()).collect();
        assert_eq!(episodes, [length; 3], "{env}");
        let n = spec.s.len();
        for k in 0..read.len() {
            assert_eq!((read.last[k], read.absorbing[k]), ((k + 1) % length == 0, absorbing && (k + 1) % length == 0));
            if !read.last[k] {
                assert_eq!(read.next_s[k * n..(k + 1) * n], read.s[(k + 1) * n..(k + 2) * n], "{env}, row {k}");
            }
        }
        let again = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(again.path(), read.to_npz()).unwrap();
        assert_eq!(self::read(again.path(), &spec).unwrap(), read, "{env}");
        // An oracle is shown the whole state, and finds it in the same file.
        let oracle = EnvSpec { o: spec.s.clone(), ..spec.clone() };
        assert_eq!(self::read(&demos(env), &oracle).unwrap().o, read.s, "{env}");
    }
}

/// An expert that saw the whole state leaves demonstrations for policies that see a part: their view is made of the
/// entries that have its names.
#[test]
fn an_oracles_demonstrations_fit_others() {
    let pair = ("ppo".parse().unwrap(), Estimator::Oracle, "gru");
    let (player, make_env) = player(&experiment(pair, "PendulumPOMDP-v1", 1, 100, ""), registry()).unwrap();
    let recorded = record(&player, &make_env, 1, true, &mut Rng::new(0, "demos")).unwrap();
    assert_eq!(recorded.sizes, [3, 3, 1]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), recorded.to_npz()).unwrap();
    let read = read(file.path(), &spec("PendulumPOMDP-v1")).unwrap();
    let seen: Vec<f32> = recorded.s.chunks(3).flat_map(|s| s[..2].to_vec()).collect();
    assert_eq!((read.o, read.sizes), (seen, [2, 3, 1]));
}

/// A buffer of demonstrations holds their steps, and beside them the states that the policy has when it is shown them:
/// zero at the start of each episode, and each the next one of the step before.
#[test]
fn demonstrations_fill_a_buffer() {
    let spec = spec("TMaze-v0");
    let demos = read(&demos("TMaze-v0"), &spec).unwrap();
    for memory in
        [Memory::Stochastic { z: 6 }, Memory::Segments { z: 6, len: 4, drawn: 6 }, Memory::Bptt { h: 6, len: 3 }]
    {
        let estimator = match memory {
            Memory::Stochastic { .. } => Estimator::Rs(1),
            Memory::Segments { .. } => Estimator::Rs(4),
            _ => "bptt:3".parse().unwrap(),
        };
        let policy = s2pg::policy::Actor::new(
            memory,
            &s2pg::policy::ActorShape {
                o: 3,
                a: 1,
                a_prev: 1,
                features: 8,
                core: s2pg::policy::CoreShape::cell(s2pg::nn::CellKind::Gru, 6),
                kind: s2pg::policy::PolicyKind::Shortcut,
                head: s2pg::policy::Head::Squashed { low: vec![-1.0], high: vec![1.0], std: 1.0, state_std: 1.0 },
            },
            &mut Rng::new(0, "demos"),
        );
        assert_eq!(policy.memory(), memory, "{estimator}");
        let shape = ReplayShape { o: 3, s: 4, a: 1, memory, ..ReplayShape::default() };
        let replay = Replay::of_demos(&demos, shape, &policy, &mut Rng::new(0, "demos"));
        let rows = replay.rows();
        assert_eq!(rows.len(), demos.len(), "{estimator}");
        let (x, next) = (replay.context(&rows), replay.next_context(&rows));
        assert_eq!(x.s.as_ref().unwrap().data(), demos.s, "{estimator}");
        assert_eq!(next.s.as_ref().unwrap().data(), demos.next_s, "{estimator}");
        assert_eq!(replay.extended(&rows).a.data(), demos.a.as_ref().unwrap(), "{estimator}");
        let Memory::Stochastic { .. } = memory else { continue };
        let (z, next) = (x.z.unwrap(), next.z.unwrap());
        for k in 0..rows.len() {
            let [z, before] = [&z.data()[k * 6..(k + 1) * 6], &next.data()[k.saturating_sub(1) * 6..k.max(1) * 6]];
            assert!(if k % 11 == 0 { z == [0.0; 6] } else { z == before }, "{estimator}, row {k}");
        }
        assert!(next.data().iter().all(|z| z.abs() < 1.0 && *z != 0.0), "{estimator}");
    }
}

/// Demonstrations that are missing, of another task, without actions where they are needed, or damaged are refused
/// before anything is trained, in one sentence that names the key or the file.
#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = std::fs::read(demos("TMaze-v0")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let states = Demos { a: None, ..read(&demos("TMaze-v0"), &spec("TMaze-v0")).unwrap() };
    let mut nan = states.clone();
    nan.s[5] = f32::NAN;
    let without = file("states.npz", &states.to_npz());
    let cases = [
        (String::new(), "names no file"),
        (dir.path().join("nothing.npz").display().to_string(), "nothing.npz"),
        (dir.path().display().to_string(), "regular file"),
        (demos("PendulumPOMDP-v1").display().to_string(), "`states` has the shape (600, 3); this task needs (600, 4)"),
        (file("cut.npz", &good[..good.len() / 2]), "cut.npz"),
        (file("empty.npz", b""), "empty.npz"),
        (file("text.npz", b"no archive"), "text.npz"),
        (file("nan.npz", &nan.to_npz()), "NaN in row 1"),
        (file("none.npz", &Demos { sizes: [3, 4, 1], ..Demos::default() }.to_npz()), "has no row"),
    ];
    for algorithm in ["gail", "lsiq"] {
        let refused = |path: &str, more: &[String]| {
            let base = experiment((algorithm.parse().unwrap(), Estimator::Rs(1), "gru"), "TMaze-v0", 1, 100, "");
            let changes = [&[format!("{algorithm}.demos={path:?}")], more].concat();
            let experiment = Experiment::parse("x.toml", &base.to_toml(), &changes).unwrap();
            build(&experiment, registry(), 1).map(drop).map_err(|e| e.to_string())
        };
        for (path, part) in &cases {
            let what = refused(path, &[]).unwrap_err();
            assert!(what.contains(part) && what.contains(&format!("`{algorithm}.demos`")), "{path}: {what}");
            assert!(!what.contains('\n'), "{what}");
        }
        let what = refused(&without, &[]).unwrap_err();
        assert!(what.contains("no array `actions`") && !what.contains('\n'), "{what}");
    }
}

/// Demonstrations without actions, of states that the policy never sees, teach a discriminator of next states, and one
/// of states alone, on either view, with the task's own reward beside; by least squares too.
#[test]
fn discriminators_tell_states_apart() {
    let mut states = Demos { a: None, ..read(&demos("TMaze-v0"), &spec("TMaze-v0")).unwrap() };
    for views in [&mut states.o, &mut states.s, &mut states.next_o, &mut states.next_s] {
        views.iter_mut().for_each(|x| *x += 1.0);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), states.to_npz()).unwrap();
    let mut weights = Vec::new();
    for (inputs, view, loss) in
        [("next", "state", "logistic"), ("next", "observation", "squares"), ("states", "state", "squares")]
    {
        let base = experiment(("gail".parse().unwrap(), Estimator::Rs(1), "gru"), "TMaze-v0", 2, 1000, "");
        let changes: Vec<String> = [
            format!("gail.demos={:?}", file.path()),
            format!("gail.discriminator_inputs={inputs}"),
            format!("gail.discriminator_view={view}"),
            format!("gail.discriminator_loss={loss}"),
            "gail.task=0.5".into(),
            "gail.discriminator_lr=0.01".into(),
            "gail.discriminator_features=32".into(),
        ]
        .into();
        let experiment = Experiment::parse("x.toml", &base.to_toml(), &changes).unwrap();
        let mut training = build(&experiment, registry(), 1).unwrap();
        let rows: Vec<_> = (0..480).filter_map(|_| training.step().unwrap()).collect();
        let of =
            |name: &str| -> Vec<f64> { rows.iter().map(|row| row.iter().find(|m| m.0 == name).unwrap().1).collect() };
        let (losses, last) = (of("discriminator/loss"), rows.len() - 1);
        assert!(losses[last] < 0.7 * losses[0], "{inputs} {view} {loss}: {losses:?}");
        let [expert, policy] = ["expert", "policy"].map(|side| of(&format!("discriminator/logit_{side}"))[last]);
        assert!(expert > policy + 0.5, "{inputs} {view} {loss}: {expert} {policy}");
        weights.push(training.model().parameters.data().to_vec());
    }
    assert!(weights[0] != weights[1] && weights[1] != weights[2]);
}

/// A run goes on with the demonstrations with which it began and with no others, unless it starts over.
#[test]
fn a_run_goes_on_with_the_demonstrations_of_its_start() {
    let good = std::fs::read(demos("TMaze-v0")).unwrap();
    let other = {
        let mut other = read(&demos("TMaze-v0"), &spec("TMaze-v0")).unwrap();
        other.s[0] += 0.5;
        other.to_npz()
    };
    for algorithm in ["gail", "lsiq"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("expert.npz");
        let base = experiment((algorithm.parse().unwrap(), Estimator::Rs(1), "gru"), "TMaze-v0", 2, 120, "");
        let change = [format!("{algorithm}.demos={file:?}")];
        let experiment = Experiment::parse("x.toml", &base.to_toml(), &change).unwrap();
        let open = || Run::open(&dir.path().join("run"), &experiment, registry(), 1, 0.0).map_err(|e| e.to_string());
        std::fs::write(&file, &good).unwrap();
        let (mut run, _) = open().unwrap();
        while run.steps() < 60 {
            run.advance(0.0, 0.0).unwrap();
        }
        run.save().unwrap();
        drop(run);
        std::fs::write(&file, &other).unwrap();
        let refused = open().map(drop).unwrap_err();
        for part in ["expert.npz", &format!("`{algorithm}.demos`"), "have changed", "bring back", "--restart"] {
            assert!(refused.contains(part) && !refused.contains('\n'), "{part}: {refused}");
        }
        std::fs::write(&file, &good).unwrap();
        assert_eq!(open().unwrap().0.steps(), 60);
        std::fs::write(&file, &other).unwrap();
        let restarted = Run::restart(&dir.path().join("run"), &experiment, registry(), 1, 0.0);
        assert_eq!(restarted.map_err(|e| e.to_string()).unwrap().0.steps(), 0);
    }
}
