//! What a policy can remember with, by name: the recurrent cells, and the cores that a program adds to its registry.

use super::budget::{Budget, FLOAT, PlanError};
use super::network::NetworkSettings;
use crate::env::{Registry, caught};
use crate::nn::CellKind;
use crate::policy::{CoreShape, MakeCore, OwnCore, PolicyKind};

impl Registry {
    /// Adds a core, which experiments then name as they name a cell, with its name, one line about it, and the function
    /// that makes it from the builder of its network, the number of entries of its input and its number of units.
    pub fn with_core(mut self, name: &'static str, about: &'static str, make: MakeCore) -> Self {
        self.add(OwnCore { name, about, make });
        self
    }

    /// Returns the names that `network.cell` may be, each with one line about it: the cells, and then the cores that
    /// were added, in their order.
    pub fn cores(&self) -> Vec<(String, &'static str)> {
        let cells = CellKind::ALL.iter().map(|kind| (kind.name(), kind.about()));
        cells.chain(self.named().map(|core: &OwnCore| (core.name.into(), core.about))).collect()
    }
}

impl NetworkSettings {
    /// Returns what a policy with a state remembers with, or refuses a name that `registry` does not know, or knows
    /// twice.
    pub fn core(&self, registry: &Registry) -> Result<CoreShape, PlanError> {
        let (name, units) = (&self.cell, self.hidden);
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
                let shape = kind.map(|&kind| CoreShape::Cell { kind, units });
                Ok(shape.or(own.map(|&core| CoreShape::Own { core, units })).expect("one of both has the name"))
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

    /// Refuses a core whose steps have shapes that do not fit, or numbers that are not finite: it is made, and takes a
    /// few.
    pub(crate) fn check_steps(&self, core: CoreShape) -> Result<(), PlanError> {
        self.hold(core, CoreShape::misstep)
    }

    /// Refuses a core that a program has added where it has the fault for which `fault` looks, or panics.
    fn hold(&self, core: CoreShape, fault: fn(CoreShape, usize) -> Option<String>) -> Result<(), PlanError> {
        let CoreShape::Own { .. } = core else { return Ok(()) };
        let embeddings = if self.policy == PolicyKind::Simple { 1 } else { 2 };
        let fault = caught(|| fault(core, embeddings * self.features));
        match fault.unwrap_or_else(|words| Some(format!("panicked: {words}"))) {
            Some(what) => Err(PlanError(format!("the core `{}` {what}", self.cell))),
            None => Ok(()),
        }
    }
}
