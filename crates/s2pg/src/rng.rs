//! The random generator of the library. Every draw goes through a `&mut Rng`; there is no global generator.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use crate::state::{Data, State, Visitor};

/// A stream of random numbers (ChaCha8), split from a seed by name: the stream `"env/3"` of seed 7 holds the same
/// numbers on every machine, whatever else is drawn elsewhere.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// Makes the stream called `stream` of the seed `seed`, at its first number.
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..24].copy_from_slice(&xxhash_rust::xxh3::xxh3_128(stream.as_bytes()).to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Makes a new stream whose key is drawn from this stream.
    pub fn split(&mut self) -> Self {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Draws 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number uniformly from [0, 1), with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Draws a number uniformly from [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Draws a whole number uniformly from 0..n, without bias (by rejection). Panics where n is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "nothing to draw from: below(0)");
        let n = n as u64;
        loop {
            let wide = self.bits() as u128 * n as u128;
            if wide as u64 >= n.wrapping_neg() % n {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Draws a standard normal number.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Puts `items` in a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

impl Rng {
    /// Returns the whole state as words: four of the key, and two of the position in the stream.
    pub(crate) fn words(&self) -> [u64; 6] {
        words(&self.0)
    }

    /// Goes to the state that [`words`](Self::words) returned.
    pub(crate) fn set_words(&mut self, words: [u64; 6]) {
        self.0 = of_words(words);
    }
}

fn words(chacha: &ChaCha8Rng) -> [u64; 6] {
    let (key, position) = (chacha.get_seed(), chacha.get_word_pos());
    let mut words = [0; 6];
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    (words[4], words[5]) = (position as u64, (position >> 64) as u64);
    words
}

fn of_words(words: [u64; 6]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    let mut chacha = ChaCha8Rng::from_seed(key);
    chacha.set_word_pos(words[4] as u128 | (words[5] as u128) << 64);
    chacha
}

impl State for Rng {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self(chacha) = self;
        let mut words = words(chacha);
        v.item("rng", Data::U64(&mut words));
        *chacha = of_words(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two streams of one seed, and one stream of two seeds, are different in every draw; the same stream repeats.
    #[test]
    fn streams_are_split_by_seed_and_name() {
        let draws = |seed, name: &str| -> Vec<u64> {
            let mut rng = Rng::new(seed, name);
            (0..1000).map(|_| rng.bits()).collect()
        };
        let first = draws(1, "env/0");
        assert_eq!(first, draws(1, "env/0"));
        for other in [draws(1, "env/1"), draws(2, "env/0")] {
            assert!(first.iter().zip(&other).all(|(a, b)| a != b));
        }
    }

    /// Uniform, bounded and normal draws have the moments of their distributions, within five standard errors.
    #[test]
    fn draws_have_their_moments() {
        let mut rng = Rng::new(0, "moments");
        let n = 200_000;
        let (mut u, mut z, mut z2, mut counts) = (0.0, 0.0, 0.0, [0; 7]);
        for _ in 0..n {
            u += rng.uniform();
            let x = rng.normal();
            z += x;
            z2 += x * x;
            counts[rng.below(7)] += 1;
        }
        let n = n as f64;
        let within = |mean: f64, expected: f64, variance: f64| (mean - expected).abs() < 5.0 * (variance / n).sqrt();
        assert!(within(u / n, 0.5, 1.0 / 12.0));
        assert!(within(z / n, 0.0, 1.0) && within(z2 / n, 1.0, 2.0));
        assert!(counts.iter().all(|&c| within(c as f64 / n, 1.0 / 7.0, 6.0 / 49.0)));
    }
}
