//! Everything of a run that must survive a kill is visited in one walk: the same walk saves, loads, digests and
//! compares.

/// The numbers of one named item.
pub enum Data<'a> {
    /// Single-precision numbers: parameters of networks, moments of optimisers, stored observations.
    F32(&'a mut [f32]),
    /// Double-precision numbers: states of simulators, statistics.
    F64(&'a mut [f64]),
    /// Whole numbers: counters, and keys and positions of generators.
    U64(&'a mut [u64]),
    /// Flags, 0 or 1 each.
    U8(&'a mut [u8]),
}

/// A walk over a [`State`]. A visitor may read the numbers of each item, or overwrite them.
pub trait Visitor {
    /// Is shown one item. The names of the items of one scope are unique.
    fn item(&mut self, name: &str, data: Data<'_>);
    /// Opens the scope `name`: the items that follow lie inside it until [`leave`](Self::leave).
    fn enter(&mut self, name: &str);
    /// Closes the innermost scope.
    fn leave(&mut self);
}

/// A value whose whole state can be visited.
///
/// The names and the lengths of the items may not depend on what happened before. An implementation takes `Self` apart
/// without `..`, so that a new field cannot be forgotten.
pub trait State {
    /// Shows every item of the state to `v`, always in the same order.
    fn visit(&mut self, v: &mut dyn Visitor);
}

impl dyn Visitor + '_ {
    /// Visits `part` in a scope of its own, called `name`.
    pub fn child(&mut self, name: &str, part: &mut dyn State) {
        self.enter(name);
        part.visit(self);
        self.leave();
    }

    /// Visits the counter `x` as an item of one number.
    pub fn count(&mut self, name: &str, x: &mut usize) {
        let mut word = [*x as u64];
        self.item(name, Data::U64(&mut word));
        *x = word[0] as usize;
    }

    /// Visits the number `x` as an item of one number.
    pub fn number(&mut self, name: &str, x: &mut f64) {
        self.item(name, Data::F64(std::slice::from_mut(x)));
    }

    /// Visits `flags` as one item, 0 for false and 1 for true.
    pub fn flags(&mut self, name: &str, flags: &mut [bool]) {
        let mut bytes: Vec<u8> = flags.iter().map(|&f| f as u8).collect();
        self.item(name, Data::U8(&mut bytes));
        for (flag, byte) in flags.iter_mut().zip(bytes) {
            *flag = byte != 0;
        }
    }
}

impl<T: State> State for Vec<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        for (i, part) in self.iter_mut().enumerate() {
            v.child(&i.to_string(), part);
        }
    }
}

/// Returns a digest (XXH3) of a state: states whose items have the same names and the same bits have the same digest.
pub fn digest(state: &mut dyn State) -> u64 {
    struct Digest(xxhash_rust::xxh3::Xxh3);
    impl Visitor for Digest {
        fn item(&mut self, name: &str, data: Data<'_>) {
            self.0.update(name.as_bytes());
            match data {
                Data::F32(x) => x.iter().for_each(|x| self.0.update(&x.to_le_bytes())),
                Data::F64(x) => x.iter().for_each(|x| self.0.update(&x.to_le_bytes())),
                Data::U64(x) => x.iter().for_each(|x| self.0.update(&x.to_le_bytes())),
                Data::U8(x) => self.0.update(x),
            }
        }
        fn enter(&mut self, name: &str) {
            self.0.update(name.as_bytes());
        }
        fn leave(&mut self) {}
    }
    let mut digest = Digest(Default::default());
    state.visit(&mut digest);
    digest.0.digest()
}
