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
    /// Is shown an item whose numbers an environment made, and only the environment understands: snapshots, returns,
    /// figures of episodes. Any numbers may be among them, infinities and NaN too, which say nothing about the
    /// training. A visitor that does not ask whose the numbers are takes the item as any other.
    fn item_of_env(&mut self, name: &str, numbers: &mut [f64]) {
        self.item(name, Data::F64(numbers));
    }
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

    /// Visits `parts`, which are of one kind, in the scope `name`, column by column: the items that have the same name
    /// in all parts are one item, which holds the numbers of the first part, then those of the second, and so on. So
    /// the number of items does not grow with the number of parts. Takes as much memory as the longest column.
    pub fn columns(&mut self, name: &str, parts: &mut [impl State]) {
        let mut column = Column::default();
        parts.first_mut().into_iter().for_each(|part| part.visit(&mut column));
        let count = column.seen;
        self.enter(name);
        for wanted in 0..count {
            let mut column = Column { wanted, ..Column::default() };
            let mut pass = |column: &mut Column| {
                for part in parts.iter_mut() {
                    column.seen = 0;
                    part.visit(column);
                }
            };
            pass(&mut column);
            match &mut column.numbers {
                Numbers::F32(x) => self.item(&column.name, Data::F32(x)),
                Numbers::F64(x) => self.item(&column.name, Data::F64(x)),
                Numbers::U64(x) => self.item(&column.name, Data::U64(x)),
                Numbers::U8(x) => self.item(&column.name, Data::U8(x)),
                Numbers::None => {}
            }
            column.written = Some(0);
            pass(&mut column);
        }
        self.leave();
    }
}

/// The numbers of a [`Column`].
#[derive(Default)]
enum Numbers {
    #[default]
    None,
    F32(Vec<f32>),
    F64(Vec<f64>),
    U64(Vec<u64>),
    U8(Vec<u8>),
}

/// A visitor of several parts that gathers one item of each of them, and then writes the numbers back.
#[derive(Default)]
struct Column {
    /// The place of the item in the walk over a part.
    wanted: usize,
    /// The number of items of the part that were seen so far.
    seen: usize,
    /// The names of the open scopes.
    scopes: Vec<String>,
    /// The name of the item, behind its scopes.
    name: String,
    numbers: Numbers,
    /// The number of numbers that were written back so far; None while they are gathered.
    written: Option<usize>,
}

impl Visitor for Column {
    fn item(&mut self, name: &str, data: Data<'_>) {
        fn pass<T: Copy>(all: &mut Vec<T>, written: &mut Option<usize>, x: &mut [T]) {
            let Some(at) = written else { return all.extend_from_slice(x) };
            x.copy_from_slice(&all[*at..*at + x.len()]);
            *at += x.len();
        }
        self.seen += 1;
        if self.seen - 1 != self.wanted {
            return;
        }
        if let Numbers::None = self.numbers {
            self.name = self.scopes.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/");
            self.numbers = match data {
                Data::F32(_) => Numbers::F32(Vec::new()),
                Data::F64(_) => Numbers::F64(Vec::new()),
                Data::U64(_) => Numbers::U64(Vec::new()),
                Data::U8(_) => Numbers::U8(Vec::new()),
            };
        }
        match (&mut self.numbers, data) {
            (Numbers::F32(all), Data::F32(x)) => pass(all, &mut self.written, x),
            (Numbers::F64(all), Data::F64(x)) => pass(all, &mut self.written, x),
            (Numbers::U64(all), Data::U64(x)) => pass(all, &mut self.written, x),
            (Numbers::U8(all), Data::U8(x)) => pass(all, &mut self.written, x),
            _ => panic!("the item {name} has another type in another part"),
        }
    }

    fn enter(&mut self, name: &str) {
        self.scopes.push(name.into());
    }

    fn leave(&mut self) {
        self.scopes.pop();
    }
}

/// Few parts of one kind, such as two critics: each has items of its own. Where there may be many, as many as
/// environments, [`columns`](trait.Visitor.html#method.columns) keeps the number of items small.
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
