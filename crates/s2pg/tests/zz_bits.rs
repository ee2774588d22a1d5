//! Prints digests.
mod runs;
use runs::{experiment, pairs, training};
#[test]
fn print() {
    for pair in pairs() {
        if format!("{:?}", pair.0) != "Ppo" {
            continue;
        }
        for env in ["TMaze-v0", "PendulumPOMDP-v1"] {
            let experiment = experiment(pair, env, 3, 10_000, "");
            let mut t = training(&experiment, 2);
            for _ in 0..300 {
                t.step().unwrap();
            }
            println!("{pair:?} {env} {:x}", algorithm(&mut *t));
        }
    }
}

fn algorithm(t: &mut dyn s2pg::train::Training) -> u64 {
    struct V(u64, Vec<String>);
    impl s2pg::Visitor for V {
        fn item(&mut self, name: &str, data: s2pg::state::Data<'_>) {
            if self.1.first().is_some_and(|s| s == "algorithm" || s == "buffer") {
                let mut h = |x: u64| self.0 = (self.0 ^ x).wrapping_mul(0x100000001b3).rotate_left(17);
                name.bytes().for_each(|b| h(b as u64));
                match data {
                    s2pg::state::Data::F32(x) => x.iter().for_each(|x| h(x.to_bits() as u64)),
                    s2pg::state::Data::F64(x) => x.iter().for_each(|x| h(x.to_bits())),
                    s2pg::state::Data::U64(x) => x.iter().for_each(|x| h(*x)),
                    s2pg::state::Data::U8(x) => x.iter().for_each(|x| h(*x as u64)),
                }
            }
        }
        fn enter(&mut self, name: &str) {
            self.1.push(name.into())
        }
        fn leave(&mut self) {
            self.1.pop();
        }
    }
    let mut v = V(1, vec![]);
    t.visit(&mut v);
    v.0
}
