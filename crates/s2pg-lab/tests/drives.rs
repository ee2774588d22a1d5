//! Exports in C, Rust and ONNX drive HalfCheetah through whole episodes with the returns that the policy itself has
//! there. `S2PG_DRIVES` names a run to take in place of one that has hardly learned, and ten episodes are driven.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use s2pg::Rng;
use s2pg::env::{EnvSpec, MakeEnv, VecEnv};
use s2pg::experiment::Experiment;
use s2pg::run::Run;
use s2pg_lab::export::{About, Target, prepare};
use s2pg_lab::policy::{Which, load};

const C: &str = r#"
#include "policy.h"
#include <stdio.h>

int main(void) {
    float given[1 + POLICY_OBSERVATIONS], action[POLICY_ACTIONS];
    while (fread(given, sizeof given, 1, stdin) == 1) {
        if (given[0] > 0.0f) {
            policy_reset();
        }
        policy_step(given + 1, action);
        fwrite(action, sizeof action, 1, stdout);
        fflush(stdout);
    }
    return 0;
}
"#;

const RUST: &str = r#"
mod policy;
use std::io::{Read, Write};

fn main() {
    let (mut policy, mut given) = (policy::Policy::new(), [0; 4 * (1 + policy::OBSERVATIONS)]);
    while std::io::stdin().read_exact(&mut given).is_ok() {
        let given: Vec<f32> = given.chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect();
        if given[0] > 0.0 {
            policy.reset();
        }
        let action = policy.step(given[1..].try_into().unwrap());
        std::io::stdout().write_all(&action.map(f32::to_le_bytes).concat()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}
"#;

const PYTHON: &str = r#"
import sys, numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
model = onnxruntime.InferenceSession("policy.onnx", options)
shapes = {x.name: x.shape for x in model.get_inputs()}
zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items() if name != "obs"}
names = [x.name for x in model.get_outputs()]
state, size = zeros, 4 * (1 + shapes["obs"][1])
while len(given := sys.stdin.buffer.read(size)) == size:
    given = np.frombuffer(given, np.float32)
    state = zeros if given[0] > 0 else state
    result = dict(zip(names, model.run(None, {"obs": given[None, 1:], **state})))
    state = {name: result[name.replace("_in", "_out")] for name in zeros}
    sys.stdout.buffer.write(result["actions"].tobytes())
    sys.stdout.buffer.flush()
"#;

/// Starts the export in `dir`, which answers each observation with an action; None where nothing here can run it.
fn started(target: Target, dir: &Path) -> Option<Child> {
    let built = |name: &str, text: &str, command: &mut Command| {
        fs::write(dir.join(name), text).unwrap();
        command.current_dir(dir).status().ok().map(|status| assert!(status.success()))
    };
    let mut command = match target {
        Target::C => {
            built("drive.c", C, Command::new("cc").args(["-std=c99", "-O3", "policy.c", "drive.c", "-o", "drive"]))?;
            Command::new(dir.join("drive"))
        }
        Target::Rust => {
            built("drive.rs", RUST, Command::new("rustc").args(["--edition", "2021", "-O", "drive.rs"]))?;
            Command::new(dir.join("drive"))
        }
        Target::Onnx => {
            let mut installed = Command::new("python3");
            installed.args(["-c", "import onnxruntime"]).stderr(Stdio::null());
            installed.status().ok().filter(|status| status.success())?;
            let mut python = Command::new("python3");
            python.args(["-c", PYTHON]);
            python
        }
    };
    Some(command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
}

/// The returns of episodes in which `act` is shown whether an episode begins, the policy's view and the critic's.
fn returns(make_env: &MakeEnv, episodes: usize, mut act: impl FnMut(bool, &[f32], &[f32]) -> Vec<f32>) -> Vec<f64> {
    let mut rng = Rng::new(0, "drives");
    let mut env = VecEnv::new(vec![make_env().unwrap()], rng.bits(), 1).unwrap();
    env.limit(env.spec().time_limit().unwrap_or(EnvSpec::CUT));
    env.reset_all().unwrap();
    let (mut returns, mut sum, mut begins) = (Vec::new(), 0.0, true);
    while returns.len() < episodes {
        let a = act(begins, env.o(), env.s());
        let step = env.step(&a).unwrap();
        sum += step.r[0];
        begins = step.terminated[0] || step.truncated[0];
        if begins {
            returns.push(std::mem::take(&mut sum));
        }
    }
    returns
}

#[test]
fn exports_drive_half_cheetah() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os("S2PG_DRIVES");
    let run = given.as_ref().map_or(own.path(), Path::new);
    if given.is_none() {
        let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 400\n[env]\nname = \"HalfCheetahPOMDP-v3\"\n\
                    [network]\nfeatures = 16\ncritic_features = 16\nhidden = 16\n[evaluation]\nevery = 0\n[ppo]\nsteps \
                    = 200\n";
        let experiment = Experiment::parse("drives.toml", text, &[]).unwrap();
        let (mut run, _) = Run::open(own.path(), &experiment, Arc::new(s2pg_lab::registry()), 1, 0.0).unwrap();
        while !run.advance(0.0, 0.0).unwrap().finished {}
    }
    let episodes = if given.is_some() { 10 } else { 1 };
    let (player, make_env, experiment) = load(run, Which::Best, Arc::new(s2pg_lab::registry())).unwrap();
    let mut itself = player.for_envs(1);
    let expected = returns(&make_env, episodes, |begins, o, s| {
        if begins {
            itself.reset(0);
        }
        itself.act(&mut o.to_vec(), &mut s.to_vec(), None)
    });
    println!("the policy: {expected:.4?}");
    let export = prepare(&player, &make_env, About::new(run, &experiment, 0), false).unwrap();
    for target in Target::ALL {
        let dir = tempfile::tempdir().unwrap();
        target.write(&export, false).iter().for_each(|f| fs::write(dir.path().join(f.name), &f.bytes).unwrap());
        let Some(mut child) = started(target, dir.path()) else {
            println!("{target}: skipped");
            continue;
        };
        let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut answer = vec![0; 4 * export.program.actions()];
        let found = returns(&make_env, episodes, |begins, o, _| {
            let given =
                [f32::from(u8::from(begins))].iter().chain(o).flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
            to.write_all(&given).and_then(|()| to.flush()).unwrap();
            from.read_exact(&mut answer).unwrap();
            answer.chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect()
        });
        drop(to);
        child.wait().unwrap();
        let largest = found.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        println!("{target}: {found:.4?}, largest difference {largest:.1e}");
        // A body with contacts makes the last bits of an action larger, step by step.
        assert!(largest < 0.1, "{target}: {found:?} rather than {expected:?}");
    }
}
