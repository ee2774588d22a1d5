//! A policy with its memory as a program: what an export writes in other languages.

use super::player::Player;
use crate::env::EnvSpec;
use crate::nn::{Function, Pairwise, Program, Row, Step, Tensor, Untraceable, trace};
use crate::policy::{Context, Extended, StatefulPolicy, WHOLE};

/// Numbers that a policy keeps from one step to the next, zeros at the start of an episode. The program has an input of
/// this name, and an output of the same name with `_next` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The name: `h`, the state z or h; `a_prev`, the previous action; `window` and `actions`, the last observations
    /// and the actions before them; `seen`, how many of them there are.
    pub name: String,
    /// The number of entries.
    pub size: usize,
}

/// One step of a policy: from the input `obs`, the raw observation, to the output `action`, which is held within the
/// range of the environment's action.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyProgram {
    /// The operations.
    pub program: Program,
    /// What is kept from one step to the next.
    pub kept: Vec<Kept>,
    /// The number of standard normal numbers in the input `noise`, of which (a, z') is drawn; 0 where the program does
    /// what a deterministic policy does, and has no such input.
    pub noise: usize,
}

impl PolicyProgram {
    /// Returns the number of entries of an observation.
    pub fn observations(&self) -> usize {
        self.program.input_named("obs").map_or(0, |row| self.program.size(row))
    }

    /// Returns the number of entries of an action.
    pub fn actions(&self) -> usize {
        self.program.size(self.program.outputs[0].row)
    }

    /// Returns zeros for all that is kept: the start of an episode.
    pub fn start(&self) -> Vec<Vec<f32>> {
        self.kept.iter().map(|kept| vec![0.0; kept.size]).collect()
    }

    /// Takes a step: returns the action for the observation `obs`, and moves what is kept. `noise` is read where the
    /// program draws. Panics where sizes differ.
    pub fn step(&self, kept: &mut Vec<Vec<f32>>, obs: &[f32], noise: &[f32]) -> Vec<f32> {
        let mut outputs = self.program.run(|name| match name {
            "obs" => obs,
            "noise" => noise,
            name => &kept[self.kept.iter().position(|kept| kept.name == name).expect("all that is kept is an input")],
        });
        let rest = outputs.split_off(1);
        *kept = rest;
        outputs.remove(0)
    }
}

/// Returns `a` held within the range of the environment's action, where there is one.
fn within(program: &mut Program, spec: &EnvSpec, a: Row) -> Row {
    let (low, high) = (&spec.low, &spec.high);
    let open = |bound: &f32| bound.abs() >= EnvSpec::HUGE;
    if low.iter().chain(high).all(open) {
        return a;
    }
    let same = |x: &[f32]| x.iter().all(|y| *y == x[0]);
    if same(low) && same(high) {
        return program.each(Function::Clip(low[0], high[0]), a);
    }
    let n = low.len();
    let (low, high) = (program.push(Step::Constant(low.clone()), n), program.push(Step::Constant(high.clone()), n));
    let a = program.both(Pairwise::Max, a, low);
    program.both(Pairwise::Min, a, high)
}

impl<P: StatefulPolicy> Player<P> {
    /// Returns one step of the policy as a program, whose numbers are those of [`act`](Self::act) to the bit: with
    /// means in place of draws, or, where `drawn`, with draws that its input `noise` makes. Refuses a policy that a
    /// program cannot describe.
    pub fn program(&self, drawn: bool) -> Result<PolicyProgram, Untraceable> {
        let memory = self.parts().0.memory();
        let Some(len) = memory.segment().filter(|_| memory.drawn() > 0) else {
            return self.program_of(drawn, memory.segment().map(|_| false));
        };
        if drawn {
            let what = "it draws its state at the end of a segment only, and a drawn export draws in every step; \
                        export its mean transition";
            return Err(Untraceable::Varies(what.into()));
        }
        let inside = self.program_of(drawn, Some(false))?;
        if len != WHOLE && self.program_of(drawn, Some(true))? != inside {
            let what = format!(
                "its state is squashed at the end of each segment of {len} steps and nowhere else, and the first \
                 segment of an episode has a random length; train with rs or bptt to export it"
            );
            return Err(Untraceable::Varies(what));
        }
        Ok(inside)
    }

    /// Returns the program of a step that ends a segment, or that does not, where there are segments.
    fn program_of(&self, drawn: bool, closes: Option<bool>) -> Result<PolicyProgram, Untraceable> {
        let (policy, standardiser) = self.parts();
        let (memory, spec) = (policy.memory(), self.spec());
        let (n_o, n_a) = (spec.o.len(), spec.low.len());
        let mut p = Program::default();
        let obs = p.input("obs", n_o);
        let o = standardiser
            .map_or(obs, |s| p.push(Step::Standardise { x: obs, mean: s.mean().to_vec(), std: s.std() }, n_o));
        let a_prev = p.input("a_prev", n_a);
        let places = memory.window();
        let (mut shown, mut shown_actions, mut seen_next) = (o, a_prev, None);
        if places > 1 {
            let seen = p.input("seen", 1);
            let slide = |p: &mut Program, name: &str, x: Row, n: usize| {
                let window = p.input(name, places * n);
                p.push(Step::Slide { window, x, seen, places }, places * n)
            };
            shown = slide(&mut p, "window", o, n_o);
            if memory.actions() > 0 {
                shown_actions = slide(&mut p, "actions", a_prev, n_a);
            }
            let more = p.each(Function::Affine(1.0, 1.0), seen);
            seen_next = Some(p.each(Function::Clip(0.0, places as f32), more));
        }
        let some = |n: usize| (n > 0).then(|| Tensor::zeros(1, n));
        let x = Context {
            o: Tensor::zeros(1, p.size(shown)),
            s: Some(Tensor::zeros(1, spec.s.len())),
            a_prev: Some(Tensor::zeros(1, p.size(shown_actions))),
            z: some(memory.z()),
            h: some(memory.h()),
            lengths: None,
            segments: None,
            drawn: closes.map(|closes| [closes].into()),
        };
        let mut inputs = vec![(&x.o, shown), (x.a_prev.as_ref().expect("made above"), shown_actions)];
        if let Some(state) = x.z.as_ref().or(x.h.as_ref()) {
            inputs.push((state, p.input("h", memory.state())));
        }
        let dist = policy.dist(&x);
        let noise = Extended { a: Tensor::zeros(1, n_a), z: some(memory.drawn()) };
        let count = if drawn { n_a + memory.drawn() } else { 0 };
        let u = if drawn {
            let all = p.input("noise", count);
            inputs.push((&noise.a, p.slice(all, 0, n_a)));
            noise.z.iter().for_each(|z| inputs.push((z, p.slice(all, n_a, z.cols()))));
            dist.draw_with_history(&noise)
        } else {
            dist.mean()
        };
        let state = u.z.or(dist.h);
        let outputs: Vec<&Tensor> = [&u.a].into_iter().chain(&state).collect();
        let rows = trace(&mut p, &inputs, &outputs)?;
        let action = within(&mut p, spec, rows[0]);
        p.output("action", action);
        let mut kept = Vec::new();
        let mut keep = |p: &mut Program, name: &str, next: Row| {
            p.output(&format!("{name}_next"), next);
            kept.push(Kept { name: name.into(), size: p.size(next) });
        };
        if let Some(&state) = rows.get(1) {
            keep(&mut p, "h", state);
        }
        if let Some(seen) = seen_next {
            keep(&mut p, "window", shown);
            keep(&mut p, "seen", seen);
            if memory.actions() > 0 {
                keep(&mut p, "actions", shown_actions);
            }
        }
        if p.clone().pruned(&[]).input_named("a_prev").is_some() {
            keep(&mut p, "a_prev", rows[0]);
        }
        Ok(PolicyProgram { program: p.pruned(&["obs"]), kept, noise: count })
    }
}
