//! `s2pg bench`
use std::process::ExitCode;
use clap::Args;
/// Arguments of `s2pg bench`.
#[derive(Args)]
pub struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}
/// Measures.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let _ = arguments.json;
    Ok(ExitCode::SUCCESS)
}
