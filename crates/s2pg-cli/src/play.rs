//! `s2pg play`: watch a policy.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::{play, policy};

use crate::Chosen;
use crate::exit::Usage;
use crate::numbers::seed;
use crate::terminal::{note, print, quoted};

/// Arguments of `s2pg play`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The file to write: an animation where its name ends in .gif, one picture with the path of what moves where it
    /// ends in .svg or .png [default: episode.gif in the run's directory, and episode.svg where all is in one view].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Render bodies in three dimensions, which needs a driver for EGL; without one they are drawn from the side.
    #[arg(long)]
    render: bool,
    /// Seed of the random numbers of this episode.
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
}

/// The kinds of pictures, by the ends of their files' names.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Gif,
    Svg,
    Png,
}

/// Draws one deterministic episode.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, out, render, seed } = arguments;
    let kind = |path: &PathBuf| match path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).as_deref() {
        Some("gif") => Ok(Kind::Gif),
        Some("svg") => Ok(Kind::Svg),
        Some("png") => Ok(Kind::Png),
        _ => {
            let what = "an episode is written as .gif (an animation), .svg or .png; give the file such a name";
            Err(Usage(format!("--out {}: {what}", quoted(path))))
        }
    };
    let wanted = out.as_ref().map(kind).transpose()?;
    let (player, make_env, experiment) = policy::load(&chosen.run, chosen.which(), registry)?;
    let rng = Rng::new(experiment.seed, &format!("play/{seed}"));
    let played = play::play(&player, &make_env, rng, *render)?;
    if let Some(why) = &played.not_rendered {
        note(format_args!("warning: {why}; it is drawn from the side"));
    }
    let path = |name: &str| out.clone().unwrap_or_else(|| chosen.run.join(name));
    let mut files = Vec::new();
    if wanted.is_none_or(|kind| kind == Kind::Gif) {
        files.extend(played.animation()?.map(|gif| (path("episode.gif"), gif)));
    }
    if wanted != Some(Kind::Gif) {
        let bytes = |picture: s2pg_lab::pictures::Canvas| match wanted {
            Some(Kind::Png) => picture.png(),
            _ => picture.svg().into_bytes(),
        };
        files.extend(played.path().map(|picture| (path("episode.svg"), bytes(picture))));
    }
    if files.is_empty() {
        let what = match wanted {
            Some(Kind::Svg | Kind::Png) if played.animation()?.is_some() => {
                "is not seen from one place in a whole episode, so there is no picture of its path; write a .gif"
            }
            _ => "has nothing to draw",
        };
        return Err(Usage(format!("{} {what}", experiment.env.name)).into());
    }
    for (path, bytes) in files {
        write_atomically(&RealDisk, &path, &bytes)?;
        print(quoted(&path))?;
    }
    Ok(ExitCode::SUCCESS)
}
