//! `s2pg completion`: the script that completes commands and options in a shell.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::terminal::{print, program};

/// Arguments of `s2pg completion`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

const HELP: &str = "\
In bash: s2pg completion bash > ~/.local/share/bash-completion/completions/s2pg
In zsh:  s2pg completion zsh > \"${fpath[1]}/_s2pg\"
In fish: s2pg completion fish > ~/.config/fish/completions/s2pg.fish";

/// Prints the script.
pub fn run(arguments: &Arguments, command: &mut Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(arguments.shell, command, program(), &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
