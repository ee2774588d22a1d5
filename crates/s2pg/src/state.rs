//! Everything that must survive a kill, in one walk: the same visit saves, loads, digests and compares.

/// The numbers of one named item.
pub enum Data<'a> {
    /// Network parameters, moments, stored observations.
    F32(&'a mut [f32]),
    /// Simulator state, statistics.
    F64(&'a mut [f64]),
    /// Counters and generators.
    U64(&'a mut [u64]),
    /// Flags.
    U8(&'a mut [u8]),
}

/// What walks over a [`State`]. A visitor may read each item, or overwrite it.
pub trait Visitor {
    /// One item; names are unique within their scope.
    fn item(&mut self, name: &str, data: Data<'_>);
    /// Opens a scope: the names that follow are inside `name`.
    fn enter(&mut self, name: &str);
    /// Closes the innermost scope.
    fn leave(&mut self);
}

/// A value whose whole state can be visited.
///
/// The set of names and the lengths of the items may not depend on history. An implementation destructures `Self`
/// without `..`, so that a new field cannot be forgotten.
pub trait State {
    /// Shows every item to `v`, always in the same order.
    fn visit(&mut self, v: &mut dyn Visitor);
}

impl dyn Visitor + '_ {
    /// Visits `part` in a scope of its own.
    pub fn child(&mut self, name: &str, part: &mut dyn State) {
        self.enter(name);
        part.visit(self);
        self.leave();
    }

    /// Visits a single counter.
    pub fn count(&mut self, name: &str, x: &mut usize) {
        let mut word = [*x as u64];
        self.item(name, Data::U64(&mut word));
        *x = word[0] as usize;
    }

    /// Visits a single number.
    pub fn number(&mut self, name: &str, x: &mut f64) {
        self.item(name, Data::F64(std::slice::from_mut(x)));
    }

    /// Visits flags.
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

/// A digest of a state: equal states, to the bit and the name, have equal digests.
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
