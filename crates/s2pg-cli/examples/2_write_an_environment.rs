//! An environment of one's own, with the whole command line: every command knows it by its name. `cargo run --release
//! -p s2pg-cli --example 2_write_an_environment -- train crates/s2pg-cli/examples/echo.toml` runs it.

use s2pg::env::{Shape, TimeLimit, check_options, check_snapshot};
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng};

/// Shows a sign, +1 or -1, in each step; the right action is the sign that was shown one step before. The fields are
/// the description of the environment, and the two signs: the one before, and the one that is shown.
struct Echo(EnvSpec, [f64; 2]);

impl Env for Echo {
    fn spec(&self) -> &EnvSpec {
        &self.0
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.1 = [0.0, [-1.0, 1.0][rng.below(2)]];
        Ok(())
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let [before, shown] = self.1;
        self.1 = [shown, [-1.0, 1.0][rng.below(2)]];
        Ok(Outcome::new(before.abs() - (f64::from(a[0]) - before).powi(2)))
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let [before, shown] = self.1.map(|sign| sign as f32);
        (o[0], s[0], s[1]) = (shown, before, shown);
    }

    fn snapshot(&self) -> Vec<f64> {
        self.1.to_vec()
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot("Echo-v0", state, 2).map(|()| self.1.copy_from_slice(state))
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape { from: [0.0, 1.0], to: [0.0, 1.0 + self.1[1]], radius: 0.2, part: 0 }]
    }
}

/// The command line of s2pg with one more environment.
pub fn main() -> std::process::ExitCode {
    s2pg_cli::main(s2pg_lab::registry().with("Echo-v0", "say the sign that was shown one step before", |options| {
        check_options("Echo-v0", options, &[])?;
        let spec = EnvSpec::new("Echo-v0", &["shown"], &["before", "shown"], &[(-1.0, 1.0)], 20);
        Ok(Box::new(TimeLimit::new(Echo(spec, [0.0; 2]))))
    }))
}
