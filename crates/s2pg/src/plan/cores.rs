//! What a policy can remember with, by name: the recurrent cells, and the cores that a program adds to its registry.

use super::budget::{Budget, FLOAT, PlanError};
use super::network::NetworkSettings;
use crate::env::{Registry, caught};
use crate::nn::CellKind;
use crate::policy::{Clock, CoreKind, CoreShape, Make, MakeCore, MakeDynamics, OwnCore, PolicyKind, has_amplitudes};

impl Registry {
    /// Adds a core, which experiments then name as they name a cell, with its name, one line about it, and the function
    /// that makes it from the builder of its network, the number of entries of its input and its number of units.
    pub fn with_core(mut self, name: &'static str, about: &'static str, make: MakeCore) -> Self {
        self.add(OwnCore { name, about, make: Make::Core(make) });
        self
    }

    /// Adds a core that is a differential equation, as [`with_core`](Self::with_core) adds a core; `make` makes the
    /// equation. Its state follows the equation for the time `network.dt` in each step, by one step of
    /// `network.solver`.
    pub fn with_dynamics(mut self, name: &'static str, about: &'static str, make: MakeDynamics) -> Self {
        self.add(OwnCore { name, about, make: Make::Dynamics(make) });
        self
    }

    /// Returns the names that `network.cell` may be, each with one line about it: the cells, the other cores of this
    /// library, and then the cores that were added, in their order.
    pub fn cores(&self) -> Vec<(String, &'static str)> {
        let cells = CellKind::ALL.iter().map(|kind| (kind.name(), kind.about()));
        let kinds = CoreKind::ALL.iter().map(|kind| (kind.name().into(), kind.about()));
        cells.chain(kinds).chain(self.named().map(|core: &OwnCore| (core.name.into(), core.about))).collect()
    }
}

impl NetworkSettings {
    /// Returns what a policy with a state remembers with in an environment whose step takes `dt` seconds, or refuses a
    /// name that `registry` does not know, or knows twice.
    pub fn core(&self, registry: &Registry, dt: f64) -> Result<CoreShape, PlanError> {
        let (name, units) = (&self.cell, self.hidden);
        // A step of 1 s stands for time without a unit; equations oscillate faster than that.
        let clock = Clock { solver: self.solver, dt: self.dt.unwrap_or(if dt == 1.0 { 0.05 } else { dt }) };
        let names: Vec<String> = registry.cores().into_iter().map(|core| core.0).collect();
        match names.iter().filter(|known| *known == name).count() {
            0 => Err(PlanError(format!(
                "`network.cell` is \"{}\", which is none of {}",
                name.escape_debug(),
                names.join(", ")
            ))),
            1 => {
                let kind = CellKind::ALL.iter().find(|kind| kind.name() == *name);
                let own = registry.named().find(|core: &&OwnCore| core.name == name);
                let other = CoreKind::ALL.iter().find(|kind| kind.name() == *name);
                let shape = kind.map(|&kind| CoreShape::Cell { kind, units });
                let shape = shape.or(other.map(|&kind| CoreShape::BuiltIn { kind, units, clock }));
                let shape = shape.or(own.map(|&core| CoreShape::Own { core, units, clock }));
                Ok(shape.expect("one of them has the name"))
            }
            _ => {
                Err(PlanError(format!("`network.cell` is \"{name}\", a name that more than one core has; rename one")))
            }
        }
    }

    /// Returns the number of entries of the state of `core`, or refuses a core with more units than there is memory
    /// for, and one whose sizes do not fit.
    pub(crate) fn state_size(&self, core: CoreShape, budget: &Budget) -> Result<usize, PlanError> {
        // What is out of the question is refused before a program's own code is called with it.
        budget.fits("network.hidden", self.hidden, self.hidden.saturating_mul(self.hidden).saturating_mul(FLOAT))?;
        self.hold(core, CoreShape::misfit)?;
        Ok(core.state_size())
    }

    /// Refuses a kind of policy that `core` is not made for, with `actions` entries of the action.
    pub(crate) fn check_kind(&self, core: CoreShape, actions: usize) -> Result<(), PlanError> {
        if self.policy.mixes() && !has_amplitudes(core) {
            return Err(PlanError(format!(
                "`network.policy` mixes by the amplitudes of oscillators, which `network.cell` = \"{}\" does not have; \
                 take \"cpg\", or another policy",
                self.cell
            )));
        }
        if self.policy.mixes() && self.hidden != actions {
            return Err(PlanError(format!(
                "`network.hidden` is {}; a policy that mixes by amplitudes has one oscillator for each of the {actions} \
                 entries of the action",
                self.hidden
            )));
        }
        Ok(())
    }

    /// Refuses a core whose steps have shapes that do not fit, or numbers that are not finite: it is made, and takes a
    /// few.
    pub(crate) fn check_steps(&self, core: CoreShape) -> Result<(), PlanError> {
        self.hold(core, CoreShape::misstep)
    }

    /// Refuses a core that a program has added where it has the fault for which `fault` looks, or panics.
    fn hold(&self, core: CoreShape, fault: fn(CoreShape, usize) -> Option<String>) -> Result<(), PlanError> {
        let CoreShape::Own { .. } = core else { return Ok(()) };
        let inputs = match self.policy {
            PolicyKind::Shortcut => 2 * self.features,
            PolicyKind::Simple => self.features,
            // The core runs by itself, and is shown a constant.
            _ => 1,
        };
        let fault = caught(|| fault(core, inputs));
        match fault.unwrap_or_else(|words| Some(format!("panicked: {words}"))) {
            Some(what) => Err(PlanError(format!("the core `{}` {what}", self.cell))),
            None => Ok(()),
        }
    }
}
