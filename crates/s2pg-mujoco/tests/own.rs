//! The file of a task of one's own becomes an environment that reads, rewards, moves and varies what the file says, and
//! a mistake in it is a sentence with the file, the key and the name that is nearest.

use std::fs;
use std::path::{Path, PathBuf};

use s2pg::env::{Env, Options, Registry, check_env};
use s2pg::rng::Rng;
use s2pg_mujoco::{Gym, Mjcf, with_own};
use tempfile::TempDir;

/// A box that floats, and an arm on a hinge.
const MODEL: &str = r#"<mujoco>
  <option gravity="0 0 0" timestep="0.01"/>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <body name="box" pos="0 0 1">
      <freejoint name="root"/>
      <geom type="box" size="0.1 0.1 0.1" mass="2"/>
      <site name="top" pos="0 0 0.5"/>
    </body>
    <body name="arm" pos="1 0 0">
      <joint name="hinge" axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 0 0 1" size="0.05" mass="1"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="motor" joint="hinge" ctrlrange="-2 4"/>
    <position name="servo" joint="hinge" kp="0.5" ctrlrange="-1 1"/>
  </actuator>
  <sensor>
    <jointpos name="angle" joint="hinge"/>
    <framepos name="where" objtype="site" objname="top"/>
  </sensor>
  <keyframe><key name="bent" qpos="0 0 1 1 0 0 0 0.5" ctrl="0 0.5"/></keyframe>
</mujoco>"#;

const TASK: &str = r#"
model = "robot.xml"
frame_skip = 2
horizon = 50
observe = [{ block = "positions", of = ["hinge"] }, { block = "velocities", of = ["hinge"], hidden = true }]
reward = [{ term = "alive", weight = 1.0 }]
"#;

/// A directory with the model and the task, and the name of the environment.
fn written(model: &str, task: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("robot.xml"), model).unwrap();
    let file = dir.path().join("task.toml");
    fs::write(&file, task).unwrap();
    let name = format!("mjcf:{}", file.display());
    (dir, name)
}

/// The environment of a task on the model of this file.
fn task(task: &str) -> Mjcf {
    let (_dir, name) = written(MODEL, task);
    Mjcf::new(&name, &Options::new()).unwrap_or_else(|e| panic!("{e}"))
}

/// `s` by name.
fn seen(env: &dyn Env) -> impl Fn(&str) -> f64 + use<> {
    let spec = env.spec().clone();
    let (mut o, mut s) = (vec![0.0; spec.o.len()], vec![0.0; spec.s.len()]);
    env.observe(&mut o, &mut s);
    move |name| {
        let at = spec.s.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name} in {:?}", spec.s));
        f64::from(s[at])
    }
}

fn figure(env: &dyn Env, name: &str) -> f64 {
    env.metrics().into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} and {b}");
}

fn robots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots")
}

/// The robots of this repository keep what a trainer relies on, and have the sizes of their files.
#[test]
fn our_robots_are_environments() {
    let registry = with_own(Registry::new());
    let mut count = 0;
    for (robot, o, s, a) in [("swing-up", 3, 5, 1), ("reacher", 6, 8, 2), ("quadruped", 30, 51, 12)] {
        let name = format!("mjcf:{}", robots().join(robot).join("task.toml").display());
        let make = || registry.make(&name, &Options::new());
        let env = make().unwrap_or_else(|e| panic!("{e}"));
        let spec = env.spec();
        assert_eq!((spec.o.len(), spec.s.len(), spec.low.len()), (o, s, a), "{robot}: {:?}", spec.s);
        assert!(!env.shapes().is_empty());
        for check in check_env(&make).unwrap() {
            assert_eq!(check.complaint, None, "{robot}: {}", check.what);
        }
        count += 1;
    }
    assert_eq!(fs::read_dir(robots()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), count);
}

/// Each block reads what its name says, at the start and after a push, and hidden entries are in `s` alone.
#[test]
fn blocks_read_the_body() {
    let mut env = task(
        r#"
model = "robot.xml"
frame_skip = 1
horizon = 50
observe = [
    { block = "positions" },
    { block = "sincos" },
    { block = "sensors" },
    { block = "height", of = ["top"] },
    { block = "previous_action" },
    { block = "velocities", hidden = true },
    { block = "place", of = ["top"], without = ["place_top_y"], hidden = true },
    { block = "orientation", of = ["box"], hidden = true },
    { block = "up", of = ["box", "arm"], hidden = true },
    { block = "linear_velocity", of = ["box"], hidden = true },
    { block = "angular_velocity", of = ["arm"], hidden = true },
    { block = "offset", from = "arm", to = "top", hidden = true },
    { block = "actuator_forces", of = ["hinge"], hidden = true },
]
reward = [{ term = "alive", weight = 1.0 }]
[actuators]
names = ["motor"]
[start]
positions = { hinge = 0.5, root = [1, 2, 3, 2, 2, 0, 0] }
[randomise]
pushes = { of = "box", force = [3.0, 5.0], steps = 1000, every = 1 }
"#,
    );
    let spec = env.spec().clone();
    assert_eq!(spec.o[..8], ["root_x", "root_y", "root_z", "root_qw", "root_qx", "root_qy", "root_qz", "hinge"]);
    assert_eq!(
        spec.o[8..],
        ["sin_hinge", "cos_hinge", "angle", "where_0", "where_1", "where_2", "height_top", "a_motor"]
    );
    assert_eq!(spec.s[..spec.o.len()], spec.o);
    assert_eq!((spec.low, spec.high, spec.dt), (vec![-2.0], vec![4.0], 0.01));
    assert!(!spec.s.contains(&"place_top_y".into()));
    env.reset(&mut Rng::new(0, "own")).unwrap();
    let see = seen(&env);
    let half = 0.5f64.sqrt();
    for (name, x) in [
        ("root_y", 2.0),
        ("root_qw", half),
        ("root_qx", half),
        ("hinge", 0.5),
        ("sin_hinge", 0.5f64.sin()),
        ("cos_hinge", 0.5f64.cos()),
        ("angle", 0.5),
        ("where_1", 1.5),
        ("height_top", 3.0),
        ("place_top_x", 1.0),
        ("quat_box_x", half),
        // Of a box that lies on its side, upwards is along y.
        ("up_box_x", 0.0),
        ("up_box_y", 1.0),
        ("up_box_z", 0.0),
        ("up_arm_z", 0.5f64.cos()),
        ("arm_to_top_x", 0.0),
        ("arm_to_top_y", 1.5),
        ("arm_to_top_z", 3.0),
        ("push_x", 0.0),
        ("v_hinge", 0.0),
    ] {
        assert!((see(name) - x).abs() < 1e-6, "{name}: {} and {x}", see(name));
    }
    env.step(&[3.0], &mut Rng::new(0, "own")).unwrap();
    let see = seen(&env);
    // A push of 10 ms on 2 kg.
    let (x, y) = (see("push_x"), see("push_y"));
    assert!((3.0..5.0).contains(&x.hypot(y)));
    close(see("v_root_x"), x * 0.01 / 2.0);
    close(see("v_root_y"), y * 0.01 / 2.0);
    close(see("speed_box_x"), x * 0.01 / 2.0);
    close(see("speed_box_z"), -y * 0.01 / 2.0);
    close(see("turn_arm_y"), see("v_hinge"));
    close(see("a_motor"), 3.0);
    // The servo rests with the control 0, at an angle of 0.5: kp times 0.5 pulls against the motor.
    close(see("force_hinge"), 3.0 - 0.25);
    let v = see("v_hinge");
    assert!(v > 0.0 && (see("angle") - 0.5 - 0.01 * v).abs() < 1e-6, "sensors are of the end of the step");
}

/// Each term is its formula, costs are taken away, the reward is the sum of all, and its sums are figures.
#[test]
fn terms_are_their_formulas() {
    let mut env = task(
        r#"
model = "robot.xml"
frame_skip = 2
horizon = 50
observe = [
    { block = "positions" },
    { block = "velocities" },
    { block = "up", of = ["arm"] },
    { block = "actuator_forces", of = ["hinge"] },
    { block = "offset", from = "arm", to = "box" },
]
reward = [
    { term = "velocity", of = "box", axis = "x", weight = 2.0 },
    { term = "velocity", of = "box", axis = "y", weight = 3.0, target = 0.1, width = 0.2 },
    { term = "height", of = "box", weight = 0.5, target = 1.5 },
    { term = "upright", of = "arm", weight = 4.0 },
    { term = "alive", weight = 5.0 },
    { term = "pose", joints = ["hinge"], width = 0.01, weight = 6.0 },
    { term = "near", from = "arm", to = "box", width = 2.0, weight = 7.0 },
    { term = "sensor", of = "angle", weight = 8.0 },
    { term = "control_cost", weight = 0.1 },
    { term = "rate_cost", weight = 0.2 },
    { term = "speed_cost", joints = ["hinge"], weight = 0.3 },
    { term = "force_cost", joints = ["hinge"], weight = 0.4 },
    { term = "distance_cost", from = "box", to = "arm", weight = 0.6 },
]
[start]
key = "bent"
[end]
joints = { hinge = [-9, 9] }
[randomise]
pushes = { of = "box", force = [3.0, 5.0], steps = 1000, every = 1 }
"#,
    );
    let mut rng = Rng::new(3, "own");
    env.reset(&mut rng).unwrap();
    env.step(&[1.0, 0.5], &mut rng).unwrap();
    let (before, sums) = (seen(&env), env.metrics());
    let sum = |name: &str| sums.iter().find(|(known, _)| *known == name).unwrap().1;
    let r = env.step(&[2.0, -0.5], &mut rng).unwrap().r;
    let see = seen(&env);
    let moved = |name: &str| (see(name) - before(name)) / 0.02;
    let peak = |x: f64, width: f64| (-(x / width).powi(2)).exp();
    let distance = see("arm_to_box_x").hypot(see("arm_to_box_y")).hypot(see("arm_to_box_z"));
    let expected = [
        ("reward_velocity", 2.0 * moved("root_x") + 3.0 * peak(moved("root_y") - 0.1, 0.2)),
        ("reward_height", 0.5 * peak(see("root_z") - 1.5, 1.0)),
        ("reward_upright", 4.0 * see("up_arm_z")),
        ("reward_alive", 5.0),
        ("reward_pose", 6.0 * peak(see("hinge") - 0.5, 0.01)),
        ("reward_near", 7.0 * peak(distance, 2.0)),
        ("reward_sensor", 8.0 * see("hinge")),
        ("reward_control_cost", -0.1 * 4.25),
        ("reward_rate_cost", -0.2 * 2.0),
        ("reward_speed_cost", -0.3 * see("v_hinge").powi(2)),
        ("reward_force_cost", -0.4 * see("force_hinge").powi(2)),
        ("reward_distance_cost", -0.6 * distance),
    ];
    for (name, x) in expected {
        let value = figure(&env, name) - sum(name);
        assert!((value - x).abs() < 2e-4, "{name}: {value} and {x}");
    }
    close(r, expected.iter().map(|(name, _)| figure(&env, name) - sum(name)).sum());
    close(figure(&env, "distance"), see("root_x"));
    assert_eq!(figure(&env, "fell"), 0.0);
}

/// What leaves its bounds terminates, in height, tilt or position, and is not paid for being alive.
#[test]
fn what_leaves_its_bounds_terminates() {
    let run = |end: &str| {
        let mut env = task(&format!("{TASK}[start]\nkey = \"bent\"\n[end]\n{end}\n"));
        env.reset(&mut Rng::new(0, "own")).unwrap();
        let outcome = env.step(&[0.0, 0.5], &mut Rng::new(0, "own")).unwrap();
        assert!(!outcome.truncated);
        assert_eq!(figure(&env, "fell"), f64::from(u8::from(outcome.terminated)));
        assert_eq!(outcome.r, f64::from(u8::from(!outcome.terminated)));
        outcome.terminated
    };
    for (end, fell) in [
        ("height = { box = [0.9, 1.1] }", false),
        ("height = { box = [1.1, 2] }", true),
        ("height = { top = [1.4, 1.6], arm = [-1, 1] }", false),
        ("height = { top = [1.4, 1.6], arm = [1, 2] }", true),
        ("tilt = { arm = 0.6 }", false),
        ("tilt = { arm = 0.4 }", true),
        ("joints = { hinge = [0.4, 0.6] }", false),
        ("joints = { hinge = [0, 0.4] }", true),
    ] {
        assert_eq!(run(end), fell, "{end}");
    }
}

/// An action is the control, or a part of its range, or an offset from the start; actuators that are not named rest as
/// at the start.
#[test]
fn actions_are_what_the_file_says() {
    let force = |actuators: &str, a: &[f32]| {
        let observe = r#"[{ block = "actuator_forces", of = ["hinge"] }]"#;
        let line = TASK.lines().find(|line| line.starts_with("observe")).unwrap();
        let text = TASK.replace(line, &format!("observe = {observe}")).replace("skip = 2", "skip = 1");
        let mut env = task(&format!("{text}[start]\nkey = \"bent\"\n[actuators]\n{actuators}\n"));
        env.reset(&mut Rng::new(0, "own")).unwrap();
        env.step(a, &mut Rng::new(0, "own")).unwrap();
        (seen(&env)("force_hinge"), env.spec().low.clone(), env.spec().high.clone())
    };
    // The servo's force is kp = 0.5 times the control minus the angle of 0.5, where it starts and rests.
    for (actuators, a, expected) in [
        ("names = [\"motor\"]", [3.0].as_slice(), 3.0),
        ("names = [\"motor\"]", &[30.0], 4.0),
        ("names = [\"motor\"]\nrange = [-1, 1]", &[3.0], 1.0),
        ("names = [\"motor\"]\naction = \"unit\"", &[0.0], 1.0),
        ("names = [\"motor\"]\naction = \"unit\"", &[-1.0], -2.0),
        ("names = [\"servo\"]", &[0.7], 0.1),
        ("names = [\"servo\"]\naction = \"offset\"", &[0.0], 0.0),
        ("names = [\"servo\"]\naction = \"offset\"\nscale = 0.4", &[0.5], 0.1),
        ("names = [\"servo\"]\naction = \"offset\"\nscale = 4", &[1.0], 0.25),
        ("names = [\"servo\", \"motor\"]", &[0.5, 2.0], 2.0),
        ("", &[2.0, 0.5], 2.0),
    ] {
        assert!((force(actuators, a).0 - expected).abs() < 1e-6, "{actuators} {a:?}: {:?}", force(actuators, a));
    }
    assert_eq!(force("names = [\"servo\", \"motor\"]", &[0.0; 2]).1, [-1.0, -2.0]);
    assert_eq!(force("action = \"unit\"", &[0.0; 2]).2, [1.0, 1.0]);
}

/// With a delay of two steps, what follows an action follows it two steps later; the steps before act as an action of
/// zero does.
#[test]
fn late_actions_are_the_same_actions_later() {
    let angles = |delay: usize, actions: &[f32]| -> Vec<u32> {
        let text = format!("{TASK}[actuators]\nnames = [\"motor\"]\n[randomise]\ndelay = [{delay}, {delay}]\n");
        let mut env = task(&text);
        let mut rng = Rng::new(0, "own");
        env.reset(&mut rng).unwrap();
        let angle = |&a: &f32| {
            env.step(&[a], &mut rng).unwrap();
            (seen(&env)("hinge") as f32).to_bits()
        };
        actions.iter().map(angle).collect()
    };
    assert_eq!(angles(2, &[1.0, -2.0, 3.0, 0.5, 0.0]), angles(0, &[0.0, 0.0, 1.0, -2.0, 3.0]));
    assert_ne!(angles(1, &[1.0, -2.0, 3.0, 0.5, 0.0]), angles(0, &[1.0, -2.0, 3.0, 0.5, 0.0]));
}

/// Masses, friction and delays are drawn afresh in each episode, within their ranges, the same ones from the same
/// generator; a critic sees them. A model whose mass or friction was scaled moves as one that was written so.
#[test]
fn episodes_vary() {
    let slide = r#"<mujoco><worldbody><geom name="floor" type="plane" size="0 0 1" friction="0.2"/>
        <body name="box" pos="0 0 0.1"><freejoint name="root"/><geom type="box" size="0.1 0.1 0.1" mass="MASS" friction="F"/></body>
        <body name="other" pos="9 0 1"><joint name="hinge"/><geom type="sphere" size="0.1" mass="1"/></body>
        </worldbody><actuator><motor name="motor" joint="hinge" ctrlrange="-1 1"/></actuator></mujoco>"#;
    let text = r#"
model = "robot.xml"
frame_skip = 5
horizon = 50
observe = [{ block = "positions" }]
reward = [{ term = "alive", weight = 1.0 }]
"#;
    let run = |mass: f64, friction: f64, more: &str| -> Vec<f64> {
        let model = slide.replace("MASS", &mass.to_string()).replace("\"F\"", &format!("\"{friction}\""));
        let (_dir, name) = written(&model, &format!("{text}{more}"));
        let mut env = Mjcf::new(&name, &Options::new()).unwrap();
        let mut rng = Rng::new(0, "own");
        env.reset(&mut rng).unwrap();
        for _ in 0..20 {
            env.step(&[0.0], &mut rng).unwrap();
        }
        ["root_x", "root_y", "root_z"].map(seen(&env)).to_vec()
    };
    let push = "pushes = { of = \"box\", force = [9.0, 9.0], steps = 1000, every = 1 }";
    let (plain, scaled) = (
        run(2.0, 0.4, &format!("[randomise]\nfriction = [1, 1]\n{push}\n")),
        run(2.0, 0.8, &format!("[randomise]\nfriction = [0.5, 0.5]\n{push}\n")),
    );
    assert!(plain[0].hypot(plain[1]) > 1e-3, "{plain:?}");
    assert_eq!(plain, scaled);
    assert_ne!(plain, run(2.0, 0.8, &format!("[randomise]\nfriction = [1, 1]\n{push}\n")));
    let heavy = run(4.0, 0.4, &format!("[randomise]\nmasses = [0.5, 0.5]\nmass_bodies = [\"box\"]\n{push}\n"));
    plain.iter().zip(&heavy).for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{plain:?} and {heavy:?}"));

    let vary = "[randomise]\nmasses = [0.5, 2]\nfriction = [0.5, 1.5]\ndelay = [1, 4]\n";
    let mut env = task(&format!("{TASK}{vary}"));
    let drawn = ["mass_box", "mass_arm", "friction", "delay"];
    assert!(env.spec().s.ends_with(&drawn.map(String::from)) && env.spec().o == ["hinge"]);
    let mut draws = Vec::new();
    let mut rng = Rng::new(5, "own");
    for _ in 0..40 {
        env.reset(&mut rng).unwrap();
        draws.push(drawn.map(seen(&env)));
    }
    for (i, [low, high]) in [[0.5, 2.0], [0.5, 2.0], [0.5, 1.5], [1.0, 4.0]].into_iter().enumerate() {
        let column: Vec<f64> = draws.iter().map(|draw| draw[i]).collect();
        assert!(
            column.iter().all(|x| (low..=high).contains(x)) && column.iter().any(|x| *x != column[0]),
            "{column:?}"
        );
    }
    assert!([1.0, 2.0, 3.0, 4.0].iter().all(|delay| draws.iter().any(|draw| draw[3] == *delay)));
    let mut rng = Rng::new(5, "own");
    env.reset(&mut rng).unwrap();
    assert_eq!(drawn.map(seen(&env)), draws[0]);
    // A snapshot that no such task could have made is refused.
    let mut state = env.snapshot();
    let at = state.iter().position(|x| *x as f32 == draws[0][2] as f32).unwrap();
    state[at] = 7.0;
    let error = env.restore(&state).unwrap_err().to_string();
    assert!(error.contains("friction of this snapshot is 7, which `randomise` does not draw"), "{error}");
    assert!(env.restore(&state[1..]).unwrap_err().to_string().contains("a snapshot has"));
}

/// A file whose words, numbers and lines were exchanged at random is refused in a sentence, or is an environment that
/// takes steps: nothing panics.
#[test]
fn mutated_files_are_refused_or_run() {
    let mut rng = Rng::new(0, "own/mutations");
    let (mut refused, mut ran) = (0, 0);
    for robot in ["swing-up", "reacher", "quadruped"] {
        let text = fs::read_to_string(robots().join(robot).join("task.toml")).unwrap();
        let (dir, name) = written(&fs::read_to_string(robots().join(robot).join("robot.xml")).unwrap(), &text);
        let words: Vec<&str> = text.split_inclusive([' ', '\n', ',']).collect();
        let odd = ["-1", "0", "1e308", "nan", "inf", "\"\"", "[]", "{}", "true", "\n", "\"world\"", "99999999999"];
        for _ in 0..150 {
            let mut mutated: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(mutated.len());
                match rng.below(3) {
                    0 => mutated[at] = words[rng.below(words.len())].into(),
                    1 => drop(mutated.remove(at)),
                    _ => {
                        let end: String = mutated[at].chars().filter(|c| " ,]}\n".contains(*c)).collect();
                        mutated[at] = odd[rng.below(odd.len())].to_string() + &end;
                    }
                }
            }
            fs::write(dir.path().join("task.toml"), mutated.concat()).unwrap();
            match Mjcf::new(&name, &Options::new()) {
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.starts_with(&name) && !error.contains('\n'), "{error}");
                    refused += 1;
                }
                Ok(mut env) => {
                    let a = vec![0.5; env.spec().low.len()];
                    env.reset(&mut rng).unwrap();
                    let _ = (0..5).try_for_each(|_| env.step(&a, &mut rng).map(drop));
                    ran += 1;
                }
            }
        }
    }
    assert!(refused > 50 && ran > 50, "{refused} refused, {ran} ran");
}

/// Starts are where the file says, around it by the noise of each joint, and quaternions keep their length.
#[test]
fn starts_are_around_the_pose() {
    let start = "[start]\nkey = \"bent\"\npositions = { root = [0, 0, 3, 0, 0, 0, 2] }\n\
                 position_noise = { \"*\" = 0.1, hinge = 0.0 }\nvelocity_noise = 0.2\n";
    let text = TASK.replace(", of = [\"hinge\"]", "");
    let mut env = task(&format!("{text}{start}"));
    let mut rng = Rng::new(0, "own");
    for _ in 0..50 {
        env.reset(&mut rng).unwrap();
        let see = seen(&env);
        close(see("hinge"), 0.5);
        assert!((2.9..=3.1).contains(&see("root_z")) && see("root_z") != 3.0);
        assert!(see("v_hinge").abs() <= 0.2 && see("v_hinge") != 0.0);
        close(["root_qw", "root_qx", "root_qy", "root_qz"].map(&see).iter().map(|x| x * x).sum(), 1.0);
    }
}

/// Every option takes the place of the file's key; the files of a task are its own, its model's, and what that
/// includes.
#[test]
fn options_change_keys_and_files_are_listed() {
    let model = MODEL.replace("<default>", "<compiler meshdir=\"parts\"/><include file=\"more.xml\"/><default>");
    let (dir, name) = written(&model, &format!("{TASK}[start]\nvelocity_noise = 0.2\n"));
    fs::create_dir(dir.path().join("parts")).unwrap();
    fs::write(dir.path().join("more.xml"), "<mujoco><asset><mesh name=\"m\" file = 'm.obj'/></asset></mujoco>")
        .unwrap();
    let mesh = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n";
    fs::write(dir.path().join("parts/m.obj"), mesh).unwrap();
    let registry = with_own(Registry::new());
    let options = "horizon = 7\nstart.velocity_noise = 0.0\nrandomise.delay = [1, 2]".parse::<Options>().unwrap();
    let env = registry.make(&name, &options).unwrap();
    assert_eq!((env.spec().horizon, env.spec().s.last().unwrap().as_str()), (7, "delay"));
    let files = ["task.toml", "robot.xml", "more.xml", "parts/m.obj"].map(|file| dir.path().join(file));
    assert_eq!(registry.files(&name, &options), files);
    fs::write(dir.path().join("task.toml"), "nonsense").unwrap();
    assert_eq!(registry.files(&name, &options), files[..1]);
    assert_eq!(registry.files("PendulumPOMDP-v1", &Options::new()), [""; 0].map(PathBuf::from));
}

/// A file that says what Hopper-v5 is gives the rewards, ends and observations of Hopper-v5 from the same starts, but
/// for rounding.
#[test]
fn a_file_can_say_what_hopper_is() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/hopper.xml");
    let text = format!(
        r#"
model = {model:?}
frame_skip = 4
horizon = 1000
observe = [{{ block = "positions", without = ["rootx"] }}, {{ block = "velocities" }}]
reward = [
    {{ term = "velocity", of = "torso", weight = 1.0 }},
    {{ term = "alive", weight = 1.0 }},
    {{ term = "control_cost", weight = 1e-3 }},
]
[start]
position_noise = 5e-3
velocity_noise = 5e-3
[end]
height = {{ torso = [0.7, 10.0] }}
joints = {{ rooty = [-0.2, 0.2] }}
"#
    );
    let (_dir, name) = written(MODEL, &text);
    let mut ours = Mjcf::new(&name, &Options::new()).unwrap();
    let mut gym = Gym::new("Hopper-v5", &Options::new()).unwrap();
    assert_eq!((ours.spec().low.clone(), ours.spec().dt, ours.spec().s.len()), (vec![-1.0; 3], gym.spec().dt, 11));
    let (mut ends, mut actions) = (0, Rng::new(0, "own/actions"));
    for episode in 0..10 {
        let start = &mut Rng::new(episode, "own");
        ours.reset(&mut start.clone()).unwrap();
        gym.reset(start).unwrap();
        for _ in 0..60 {
            let views = [&ours as &dyn Env, &gym].map(|env| {
                let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; 11]);
                env.observe(&mut o, &mut s);
                s
            });
            // Gymnasium clips the velocities that it shows.
            let clipped = views[0].iter().enumerate().map(|(i, x)| if i < 5 { *x } else { x.clamp(-10.0, 10.0) });
            clipped.zip(&views[1]).for_each(|(a, b): (f32, &f32)| close(a.into(), (*b).into()));
            let a: Vec<f32> = (0..3).map(|_| actions.range(-1.0, 1.0) as f32).collect();
            let [a, b] =
                [&mut ours as &mut dyn Env, &mut gym].map(|env| env.step(&a, &mut Rng::new(0, "none")).unwrap());
            close(a.r, b.r);
            assert_eq!(a.terminated, b.terminated);
            if a.terminated {
                ends += 1;
                break;
            }
        }
    }
    assert!(ends > 5, "{ends} ends");
}

/// A mistake is one sentence with the file, the key, and the nearest name that the model has.
#[test]
fn mistakes_are_sentences() {
    let cases = [
        ("of = [\"hinge\"] },", "of = [\"hnge\"] },", "block 1 of `observe` names the joint `hnge`"),
        ("of = [\"hinge\"] },", "of = [\"hnge\"] },", "robot.xml does not have; the nearest is hinge"),
        ("\"positions\", of", "\"positons\", of", "line 5: unknown variant `positons`"),
        ("\"positions\", of", "\"positons\", of", "perhaps `positions` is meant"),
        ("frame_skip", "frame_skips", "line 3: unknown field `frame_skips`"),
        ("frame_skip = 2", "frame_skip = 0", "`frame_skip` is 0; it can be a number of steps"),
        ("frame_skip = 2\n", "", "missing field `frame_skip`"),
        ("robot.xml", "robots.xml", "robots.xml, which cannot be read"),
        ("\"alive\",", "\"upright\", of = \"boxx\",", "term 1 of `reward` names the body `boxx`"),
        ("\"alive\",", "\"upright\",", "term 1 of `reward` needs `of`"),
        ("\"alive\",", "\"alive\", of = \"box\",", "has `of`, but `alive` has only `weight`"),
        ("\"alive\",", "\"near\", from = \"box\", to = \"sky\",", "has; it has world, box, arm, top"),
        ("\"alive\",", "\"sensor\", of = \"where\",", "the sensor `where`, which has 3 numbers"),
        ("weight = 1.0", "weight = inf", "term 1 of `reward` needs a finite `weight` and `target`"),
        ("\"alive\",", "\"near\", from = \"box\", to = \"top\", width = 0,", "and a `width` above 0"),
        ("\"alive\",", "\"velocity\", of = \"box\", width = 0.1,", "a `width`, which belongs to a `target`"),
        ("[{ term = \"alive\", weight = 1.0 }]", "[]", "`reward` has no terms"),
        ("of = [\"hinge\"] },", "of = [\"hinge\"], hidden = true },", "`observe` shows the policy nothing"),
        ("of = [\"hinge\"] },", "of = [\"hinge\"], without = [\"x\"] },", "to be without `x`, which it has not"),
        ("of = [\"hinge\"] },", "of = [] },", "block 1 of `observe` shows nothing"),
        ("\"velocities\", of", "\"positions\", of", "block 2 of `observe` shows hinge a second time"),
        (
            "of = [\"hinge\"] },",
            "of = [\"hinge\"], from = \"box\" },",
            "block 1 of `observe` is a block without `from` and `to`",
        ),
    ];
    let (_dir, name) = written(MODEL, TASK);
    let file = name.strip_prefix("mjcf:").unwrap();
    let error = || Mjcf::new(&name, &Options::new()).err().map(|e| e.to_string()).unwrap_or_else(|| "none".into());
    for (from, to, part) in cases {
        let part = part.replace("has; it has", "does not have; it has");
        assert!(TASK.contains(from), "{from}");
        fs::write(file, TASK.replacen(from, to, 1)).unwrap();
        let error = error();
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(&part) && !error.contains('\n'), "{error}");
    }
    for (more, part) in [
        ("[actuators]\nnames = [\"moter\"]", "`actuators.names` names the actuator `moter`"),
        ("[actuators]\nnames = []", "`actuators` are none"),
        ("[actuators]\nnames = [\"motor\", \"motor\"]", "`actuators.names` has `motor` twice"),
        ("[actuators]\nscale = 2", "`actuators.scale` belongs to `action = \"offset\"`"),
        ("[actuators]\naction = \"offset\"\nscale = 0", "`actuators.scale` is 0; it can be a finite number"),
        ("[actuators]\nrange = [1, 1]", "lies between 1 and 1; set `actuators.range`"),
        ("[start]\nkey = \"up\"", "`start.key` names the keyframe `up`"),
        ("[start]\npositions = { root = 1.0 }", "`start.positions.root` must be 7 finite numbers"),
        ("[start]\nposition_noise = { hing = 1.0 }", "`start.position_noise` names the joint `hing`"),
        ("[start]\nvelocity_noise = -1", "`start.velocity_noise` is -1; it can be"),
        ("[start]\nvelocity_noise = \"much\"", "a number, or a table such as"),
        ("[end]\ntilt = { box = 4.0 }", "`end.tilt.box` is 4; it can be an angle"),
        ("[end]\nheight = { box = [2, 1] }", "`end.height.box` is [2, 1]; the first number must be below"),
        ("[end]\njoints = { root = [0, 1] }", "the joint `root`, whose position is 7 numbers"),
        ("[randomise]\nmasses = [2, 1]", "`randomise.masses` is [2, 1]; it can be two factors"),
        ("[randomise]\nmass_bodies = [\"box\"]", "belongs to `randomise.masses`"),
        ("[randomise]\ndelay = [3, 1]", "`randomise.delay` is [3, 1]"),
        ("[randomise]\npushes = { of = \"bax\", force = [0, 1], steps = 1, every = 1 }", "names the body `bax`"),
        ("[randomise]\npushes = { of = \"box\", force = [2, 1], steps = 1, every = 1 }", "`randomise.pushes` needs"),
    ] {
        fs::write(file, format!("{TASK}{more}\n")).unwrap();
        let error = error();
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(part) && !error.contains('\n'), "{error}");
    }
    fs::write(file, TASK).unwrap();
    let wrong = |options: &str| Mjcf::new(&name, &options.parse().unwrap()).err().unwrap().to_string();
    assert!(wrong("horizn = 3").contains("with `env.horizn` of the experiment: unknown field `horizn`"));
    let model = Path::new(file).with_file_name("robot.xml");
    fs::write(&model, MODEL.replace("ctrlrange=\"-2 4\"", "")).unwrap();
    assert!(error().contains("the actuator `motor` of") && error().contains("has no ctrlrange"), "{}", error());
    fs::write(&model, "<mujoco><worldbody><geom size='-1'/></worldbody></mujoco>").unwrap();
    assert!(error().contains("MuJoCo refuses") && error().contains("robot.xml"), "{}", error());
    for (name, part) in [
        ("mjcf:", "this is no file"),
        ("mjcf:nowhere.toml", "cannot be read"),
        ("mjcf:robot.xml", "this is the model; name the TOML file"),
    ] {
        let error = Mjcf::new(name, &Options::new()).err().unwrap().to_string();
        assert!(error.starts_with(name) && error.contains(part), "{error}");
    }
}
