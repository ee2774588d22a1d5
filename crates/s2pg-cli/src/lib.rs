//! The command line of s2pg, as a library: arguments, progress, signals, clocks.
//!
//! The program `s2pg` is one call of [`main`] with every environment of the project. A program of one's own calls it
//! with more environments, and with cores of its own, which are what a policy remembers with. Both are then known to
//! every command: `train`, `eval`, `play`, `algos`, `envs`, `check-env`.
//!
//! `examples/2_write_an_environment.rs`, `examples/3_write_a_policy.rs` and `examples/own_core.rs` are such programs,
//! whole. A policy of another build than embeddings, core and head is trained through the library, as the example
//! `own_policy` of [`s2pg`] shows: an algorithm is compiled for the type of its policy.
//!
//! # A program of one's own
//!
//! Its package depends on `s2pg`, `s2pg-lab`, `s2pg-cli` and `s2pg-mujoco`. The last one is for the linker: the build
//! script of `s2pg-mujoco` provides MuJoCo's library, and tells packages that depend on it directly where the library
//! is. A copy of this package's `build.rs` in the program's package passes that place on, so that the program finds the
//! library when it starts: beside itself, or where the build found it.
//!
//! The bindings of MuJoCo also want the variable `MUJOCO_DYNAMIC_LINK_DIR` while they are built, with the path of the
//! directory `third_party/mujoco/link`: the README of that directory has the lines for `.cargo/config.toml`.

mod algos;
mod bench;
mod campaign;
mod check;
mod completion;
mod demos;
mod envs;
mod evaluate;
mod exit;
mod export;
mod keys;
mod numbers;
mod pace;
mod play;
mod probe;
mod record;
mod replay;
mod report;
mod reproduce;
mod series;
mod signals;
mod slurm;
mod terminal;
mod theory;
mod train;
mod variance;

pub use exit::sentence;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use clap::{Args, Parser, Subcommand};
use s2pg::env::Registry;
use s2pg_lab::policy::{Which, damaged_best};

/// Train policies with memory, in the time that others need for policies without.
#[derive(Parser)]
#[command(name = "s2pg", version = VERSION.as_str(), after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Let this Python, such as python3, run the command: its package s2pg knows environments of Gymnasium
    /// (env.name=gym:Pendulum-v1) and of one's own (env.name=python:module:function).
    #[arg(long, global = true, value_name = "PROGRAM")]
    python: Option<OsString>,
    /// Processes in which environments of Python live [default: 0, the process that trains].
    #[arg(long, global = true, value_name = "NUMBER", value_parser = numbers::whole(0..=1024_u32))]
    workers: Option<u32>,
}

/// The version of this program, the commit of which it was built, and the version of MuJoCo at work.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mujoco = s2pg_mujoco::mujoco_version();
    format!("{}, commit {}, MuJoCo {mujoco}", env!("CARGO_PKG_VERSION"), s2pg_lab::COMMIT)
});

const EXAMPLES: &str = concat!(
    "Examples:\n",
    "  s2pg train ppo-rs/half-cheetah-fast             train a preset; `s2pg algos` lists them\n",
    "  s2pg train ppo-rs/half-cheetah ppo.clip=0.1     change any key of the experiment\n",
    "  s2pg train ppo-rs/half-cheetah estimator=vanilla seed=3 --dir runs/memoryless\n",
    "  s2pg train ppo-rs/t-maze seeds=0..4             five seeds, one after the other, and a report\n",
    "  s2pg train runs/memoryless                      go on where the run was stopped\n",
    "  s2pg eval runs/memoryless                       evaluate its best policy\n",
    "  s2pg probe runs/t-maze                          tell what its policy remembers\n",
    "  s2pg play runs/memoryless                       draw an episode as an animated GIF\n",
    "  s2pg record runs/memoryless --out expert.npz    record episodes, for gail.demos and lsiq.demos\n",
    "  s2pg campaign mine.toml                         many runs from one file, several at once, and a report\n",
    "  s2pg export runs/memoryless --to c              write its policy in C, and hold it against the run's\n",
    "  s2pg reproduce --figure 10 --budget 2h          a figure of the paper, as much of it as two hours allow\n",
    "  s2pg report runs/a runs/b runs/c                compare runs in one figure and one table\n",
    "  s2pg algos --show ppo-rs/half-cheetah           print every key of an experiment\n",
    "  s2pg keys ppo                                   say what the keys mean, and what they may be\n",
    "\n",
    "Exit codes: 0 success, 64 wrong use, 65 bad data, 70 diverged, 74 cannot read or write, 75 the environment failed too\n",
    "often, 129, 130 and 143 stopped by a signal with a checkpoint.",
);

#[derive(Subcommand)]
enum Command {
    /// Train an experiment, or go on with a run.
    Train(train::Arguments),
    /// Evaluate the policy of a run.
    Eval(evaluate::Arguments),
    /// Tell what the memory of a run's policy holds, and what the policy does without it.
    Probe(probe::Arguments),
    /// Draw an episode of a run's policy as an animated GIF.
    Play(play::Arguments),
    /// Record demonstrations of a run's policy, for algorithms that imitate.
    Record(record::Arguments),
    /// Carry out a campaign: many runs from one file, several at once, and a report.
    Campaign(campaign::Arguments),
    /// Write a run's policy in another language, with a proof that it is the same policy.
    Export(export::Arguments),
    /// Make a table or a figure of the paper again, as much as fits into a budget of time.
    Reproduce(reproduce::Arguments),
    /// Compare runs: figure and table of returns against steps and time.
    Report(report::Arguments),
    /// Replay a run that diverged: from its last checkpoint to the step at which it diverged.
    Replay(replay::Arguments),
    /// Turn motion capture into demonstrations of an imitation task.
    Demos(demos::Arguments),
    /// List environments.
    Envs(envs::Arguments),
    /// Check that an environment keeps what a trainer relies on.
    CheckEnv(check::Arguments),
    /// List algorithms, estimators, cells and presets, or show an experiment whole.
    Algos(algos::Arguments),
    /// List the keys of an experiment, each with its type, range, default and meaning.
    Keys(keys::Arguments),
    /// Measure speed.
    Bench(bench::Arguments),
    /// Check the paper's statements against exact numbers.
    Theory(theory::Arguments),
    /// Measure bias and variance of gradient estimators against the horizon.
    Variance(variance::Arguments),
    /// Print the script that completes commands and options in a shell.
    Completion(completion::Arguments),
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
    /// Returns which policy is meant. Where its file is damaged, so that another is taken, a warning says so.
    fn which(&self) -> Which {
        if self.latest {
            return Which::Latest;
        }
        damaged_best(&self.run).into_iter().for_each(|w| terminal::note(format_args!("warning: {w}")));
        Which::Best
    }
}

/// Runs the command that the arguments of this process ask for, with the environments of `registry`, and returns the
/// exit code: 0 after success, 64 after wrong use, 65 after bad data, 70 after a divergence, 74 where something cannot
/// be read or written, 75 where the environment failed too often, 129, 130 and 143 after a signal. A mistake is one
/// sentence on the standard error.
pub fn main(registry: Registry) -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_stem).map(terminal::quoted);
    run(&name.unwrap_or_else(|| "s2pg".into()), args, registry)
}

/// Runs a command as [`main`] does, with `args` in place of the arguments of this process, without the name of the
/// program. `program` is what users write to call the program, which messages repeat.
pub fn run(program: &str, args: impl IntoIterator<Item = OsString>, registry: Registry) -> ExitCode {
    terminal::call_program(program);
    let args: Vec<OsString> = args.into_iter().collect();
    // A panic that becomes an error is told once, in the sentence of the error.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !s2pg::env::is_guarded() {
            print(panic)
        }
    }));
    let cli = match Cli::try_parse_from([OsString::from("s2pg")].iter().chain(&args)) {
        Ok(cli) => cli,
        Err(mut e) => {
            let meant = keys::meant_as_override(&mut e, args.iter().cloned());
            if let Some(sentence) = meant.or_else(|| numbers::mistake(&e)) {
                terminal::note(format_args!("s2pg: {sentence}"));
                return ExitCode::from(exit::USAGE);
            }
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    if let Some(python) = cli.python.filter(|_| registry.families().all(|(prefix, _)| prefix != "python:")) {
        return in_python(&python, &args);
    }
    if cli.workers.is_some() {
        terminal::note("s2pg: --workers is for environments of Python; name a Python with --python, or leave it out");
        return ExitCode::from(exit::USAGE);
    }
    if !matches!(cli.command, Command::Train(_) | Command::Campaign(_) | Command::Reproduce(_)) {
        // A training has more to lose than its last words.
        signals::end_without_reader();
    }
    let registry = Arc::new(registry);
    let result = match cli.command {
        Command::Train(arguments) => train::run(&arguments, registry),
        Command::Eval(arguments) => evaluate::run(&arguments, registry),
        Command::Probe(arguments) => probe::run(&arguments, registry),
        Command::Play(arguments) => play::run(&arguments, registry),
        Command::Record(arguments) => record::run(&arguments, registry),
        Command::Campaign(arguments) => campaign::run(&arguments, registry),
        Command::Export(arguments) => export::run(&arguments, registry),
        Command::Reproduce(arguments) => reproduce::run(&arguments, registry),
        Command::Report(arguments) => report::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments, registry),
        Command::Demos(arguments) => demos::run(&arguments),
        Command::Envs(arguments) => envs::run(&arguments, &registry),
        Command::CheckEnv(arguments) => check::run(&arguments, &registry),
        Command::Algos(arguments) => algos::run(&arguments, &registry),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Theory(arguments) => theory::run(&arguments),
        Command::Variance(arguments) => variance::run(&arguments, &registry),
        Command::Completion(arguments) => completion::run(&arguments, &mut <Cli as clap::CommandFactory>::command()),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            terminal::note(format_args!("s2pg: {}", exit::sentence(&e)));
            ExitCode::from(exit::code(&e))
        }
    }
}

/// Becomes the Python program `python` with the same command, which the package s2pg runs there. Returns only where
/// that program cannot be started.
fn in_python(python: &OsStr, args: &[OsString]) -> ExitCode {
    let mut rest = Vec::new();
    let mut all = args.iter();
    while let Some(arg) = all.next() {
        if arg == "--python" {
            all.next();
        } else if !arg.as_encoded_bytes().starts_with(b"--python=") {
            rest.push(arg);
        }
    }
    let e = std::process::Command::new(python).args(["-m", "s2pg"]).args(rest).exec();
    let e = exit::sentence(&anyhow::Error::from(e).context(terminal::quoted(python)));
    terminal::note(format_args!("s2pg: {e}; name a Python that has the package s2pg after --python"));
    ExitCode::from(exit::USAGE)
}
