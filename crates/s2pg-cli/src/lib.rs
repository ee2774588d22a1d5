//! The command line of s2pg, as a library: arguments, progress, signals, clocks.
//!
//! The program `s2pg` is one call of [`main`] with every environment of the project. A program of one's own calls it
//! with more environments, which are then known to every command: `train`, `eval`, `play`, `envs`, `check-env`.
//!
//! ```no_run
//! use s2pg::Rng;
//! use s2pg::env::{Entry, Env, EnvError, EnvSpec, Outcome};
//!
//! /// A coin that shows its side, and is to be turned to +1.
//! struct Coin {
//!     spec: EnvSpec,
//!     side: f32,
//! }
//!
//! impl Env for Coin {
//!     fn spec(&self) -> &EnvSpec {
//!         &self.spec
//!     }
//!     fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
//!         self.side = [-1.0, 1.0][rng.below(2)];
//!         Ok(())
//!     }
//!     fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
//!         self.side *= a[0].signum();
//!         Ok(Outcome { r: self.side.into(), terminated: true, truncated: false })
//!     }
//!     fn observe(&self, o: &mut [f32], s: &mut [f32]) {
//!         (o[0], s[0]) = (self.side, self.side);
//!     }
//!     fn snapshot(&self) -> Vec<f64> {
//!         vec![self.side.into()]
//!     }
//!     fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
//!         self.side = state[0] as f32;
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let mut registry = s2pg_lab::registry();
//!     registry.extend([Entry {
//!         name: "Coin-v0",
//!         about: "turn a coin to its better side",
//!         make: |_| {
//!             let spec = EnvSpec {
//!                 name: "Coin-v0".into(),
//!                 o: vec!["side".into()],
//!                 s: vec!["side".into()],
//!                 low: vec![-1.0],
//!                 high: vec![1.0],
//!                 horizon: 1,
//!                 dt: 1.0,
//!             };
//!             Ok(Box::new(Coin { spec, side: 1.0 }))
//!         },
//!     }]);
//!     s2pg_cli::main(registry)
//! }
//! ```
//!
//! # A program of one's own
//!
//! Its package depends on `s2pg`, `s2pg-lab`, `s2pg-cli` and `s2pg-mujoco`. The last one is for the linker: the build
//! script of `s2pg-mujoco` provides MuJoCo's library, and tells packages that depend on it directly where the library
//! is. A `build.rs` in the program's package passes that place on, so that the program finds the library when it
//! starts:
//!
//! ```no_run
//! // The body of `main` in build.rs.
//! if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
//!     println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
//! }
//! ```
//!
//! The bindings of MuJoCo also want the variable `MUJOCO_DYNAMIC_LINK_DIR` while they are built: the file
//! `.cargo/config.toml` of this workspace sets it, and the program's package needs the same lines with the right path.

mod algos;
mod bench;
mod check;
mod envs;
mod evaluate;
mod exit;
mod play;
mod replay;
mod report;
mod signals;
mod terminal;
mod theory;
mod train;
mod variance;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use s2pg::env::Registry;
use s2pg_lab::policy::Which;

/// Train policies with memory, in the time that others need for policies without.
#[derive(Parser)]
#[command(name = "s2pg", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = concat!(
    "Examples:\n",
    "  s2pg train ppo-rs/half-cheetah-fast             train a preset; `s2pg algos` lists them\n",
    "  s2pg train ppo-rs/half-cheetah ppo.clip=0.1     change any key of the experiment\n",
    "  s2pg train ppo-rs/half-cheetah estimator=vanilla seed=3 --dir runs/memoryless\n",
    "  s2pg train runs/memoryless                      go on where the run was stopped\n",
    "  s2pg eval runs/memoryless                       evaluate its best policy\n",
    "  s2pg play runs/memoryless                       draw an episode as an animated GIF\n",
    "  s2pg report runs/a runs/b runs/c                compare runs in one figure and one table\n",
    "  s2pg algos --show ppo-rs/half-cheetah           print every key of an experiment\n",
    "\n",
    "Exit codes: 0 success, 64 wrong use, 65 bad data, 70 diverged, 74 cannot read or write, 75 the environment failed too\n",
    "often, 130 and 143 stopped by a signal with a checkpoint.",
);

#[derive(Subcommand)]
enum Command {
    /// Train an experiment, or go on with a run.
    Train(train::Arguments),
    /// Evaluate the policy of a run.
    Eval(evaluate::Arguments),
    /// Draw an episode of a run's policy as an animated GIF.
    Play(play::Arguments),
    /// Compare runs: figure and table of returns against steps and time.
    Report(report::Arguments),
    /// Replay a run that diverged: from its last checkpoint to the step at which it diverged.
    Replay(replay::Arguments),
    /// List environments.
    Envs,
    /// Check that an environment keeps what a trainer relies on.
    CheckEnv(check::Arguments),
    /// List algorithms, estimators and presets, or show an experiment whole.
    Algos(algos::Arguments),
    /// Measure speed.
    Bench(bench::Arguments),
    /// Check the paper's statements against exact numbers.
    Theory(theory::Arguments),
    /// Measure bias and variance of gradient estimators against the horizon.
    Variance(variance::Arguments),
}

/// Where a run lies, and which of its policies is meant.
#[derive(Args)]
struct Chosen {
    /// The directory of the run.
    run: PathBuf,
    /// Take the policy of the last checkpoint rather than the policy of the best evaluation.
    #[arg(long)]
    latest: bool,
}

impl Chosen {
    fn which(&self) -> Which {
        if self.latest { Which::Latest } else { Which::Best }
    }
}

/// Runs the command that the arguments of this process ask for, with the environments of `registry`, and returns the
/// exit code: 0 after success, 64 after wrong use, 65 after bad data, 70 after a divergence, 74 where something cannot
/// be read or written, 75 where the environment failed too often, 130 and 143 after a signal. A mistake is one sentence
/// on the standard error.
pub fn main(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    if !matches!(cli.command, Command::Train(_)) {
        // A training has more to lose than its last words.
        signals::end_without_reader();
    }
    let registry = Arc::new(registry);
    let result = match cli.command {
        Command::Train(arguments) => train::run(&arguments, registry),
        Command::Eval(arguments) => evaluate::run(&arguments, registry),
        Command::Play(arguments) => play::run(&arguments, registry),
        Command::Report(arguments) => report::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments, registry),
        Command::Envs => envs::run(&registry),
        Command::CheckEnv(arguments) => check::run(&arguments, &registry),
        Command::Algos(arguments) => algos::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Theory(arguments) => theory::run(&arguments),
        Command::Variance(arguments) => variance::run(&arguments, &registry),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            terminal::note(format_args!("s2pg: {}", exit::sentence(&e)));
            ExitCode::from(exit::code(&e))
        }
    }
}
