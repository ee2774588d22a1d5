//! `s2pg check-env`: does an environment keep what a trainer relies on?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::{MakeEnv, Options, Registry, check_env};
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::gallery;

use crate::exit::{DATA, Usage};
use crate::terminal::{print, quoted};

/// Arguments of `s2pg check-env`.
#[derive(Args)]
pub struct Arguments {
    /// The name of an environment (`s2pg envs` lists them), or `all`.
    environment: String,
    /// Options of the environment, such as `corridor=20`.
    options: Vec<String>,
    /// Also write a picture of the starts of four episodes of each environment, DIR/<name>.png.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

/// Prints a line for each requirement and each piece of advice; exit code 65 where a requirement is not kept.
pub fn run(arguments: &Arguments, registry: &Arc<Registry>) -> anyhow::Result<ExitCode> {
    let options = arguments.options.join("\n").parse::<Options>().map_err(|e| {
        let (given, why) = (arguments.options.join(" "), e.message());
        Usage(format!("the options `{given}` are not TOML ({why}); write key=value, and texts as key='\"text\"'"))
    })?;
    let names: Vec<&str> = match arguments.environment.as_str() {
        "all" => registry.entries().iter().map(|e| e.name).collect(),
        name => vec![name],
    };
    if arguments.environment == "all" && !options.is_empty() {
        return Err(Usage("options belong to one environment; name it in place of `all`".into()).into());
    }
    if let Some(dir) = &arguments.pictures {
        let wrong = |e| Usage(format!("--pictures {}: {e}; choose a directory that can be written", quoted(dir)));
        std::fs::create_dir_all(dir).map_err(wrong)?;
    }
    let mut kept = true;
    for name in names {
        print(name)?;
        let checks = check_env(&|| registry.make(name, &options))?;
        if arguments.environment != "all" {
            let spec = registry.make(name, &options)?.spec().clone();
            let hidden: Vec<&str> = spec.s.iter().filter(|entry| !spec.o.contains(entry)).map(String::as_str).collect();
            print(format_args!("  the policy sees {}", spec.o.join(", ")))?;
            if !hidden.is_empty() {
                print(format_args!("  hidden from it are {}", hidden.join(", ")))?;
            }
        }
        for check in checks {
            match check.complaint {
                None => print(format_args!("  ok    {}", check.what))?,
                Some(complaint) if check.advice => print(format_args!("  note  {}: {complaint}", check.what))?,
                Some(complaint) => {
                    kept = false;
                    print(format_args!("  FAIL  {}: {complaint}", check.what))?;
                }
            }
        }
        if let Some(dir) = &arguments.pictures {
            let make_env: MakeEnv = {
                let (registry, name, options) = (Arc::clone(registry), name.to_owned(), options.clone());
                Arc::new(move || registry.make(&name, &options))
            };
            match gallery::starts(&make_env, Rng::new(0, "check-env/pictures"))? {
                Some(png) => {
                    // The name of a robot of one's own is the path of a file.
                    let path = dir.join(format!("{}.png", name.replace(['/', ':'], "-")));
                    write_atomically(&RealDisk, &path, &png)?;
                    print(format_args!("  {}", quoted(&path)))?;
                }
                None => print("  it has nothing to draw")?,
            }
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::from(DATA) })
}
