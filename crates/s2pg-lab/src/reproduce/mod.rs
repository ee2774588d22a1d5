//! The paper's tables and figures made again: what is measured, what of it fits into a budget of time, and what it says
//! of what the paper claims. Who carries it out, and has the clock, is a front end.

mod claims;
mod evidence;
mod items;
mod published;
mod subset;
mod tables;
mod timing;

pub use claims::{CLAIMS, Check, Claim, Finding, Verdict};
pub use evidence::{Cell, Evidence};
pub use items::{ITEMS, Item, Method, Task};
pub use subset::{Costs, Subset, changes_of, experiment};
pub use tables::{Unit, times, verdicts};
pub use timing::{Timed, TimingError};
