//! The program `s2pg`: the command line with every environment of the project.

fn main() -> std::process::ExitCode {
    s2pg_cli::main(s2pg_lab::registry())
}
