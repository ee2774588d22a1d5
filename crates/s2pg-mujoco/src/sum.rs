//! Sums in the order in which numpy takes them, as Gymnasium computes rewards: another order would be another last bit.

use std::ops::Add;

/// The sum of `f` of each number: eight accumulators, their tree, then the tail, as numpy sums an array of at most 128.
pub(crate) fn sum<T: Copy + Default + Add<Output = T>>(x: &[T], f: impl Fn(T) -> T) -> T {
    assert!(x.len() <= 128, "longer sums are split, as numpy does");
    let (eights, mut tail) = x.as_chunks::<8>();
    let mut sum = T::default();
    if let [first, rest @ ..] = eights {
        let mut r = first.map(&f);
        for x in rest {
            r.iter_mut().zip(x).for_each(|(r, &x)| *r = *r + f(x));
        }
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    } else if let [first, rest @ ..] = tail {
        (sum, tail) = (f(*first), rest);
    }
    tail.iter().fold(sum, |sum, &x| sum + f(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums below eight go from left to right, longer ones over eight accumulators: the order changes the bits.
    #[test]
    fn sums_have_the_order_of_numpy() {
        let squares = |x: &[f32]| sum(x, |x| x * x);
        assert_eq!(squares(&[]), 0.0);
        let x = [4096.0f32, 1.0, -1.0, 1.0, 3.0];
        assert_eq!(squares(&x), x.iter().fold(0.0, |sum, x| sum + x * x));
        // One accumulator would lose each of the ones.
        let mut x = [1.0f32; 21];
        x[0] = 4096.0;
        assert_eq!(squares(&x), (((16777218.0 + 2.0) + 4.0) + (4.0 + 4.0)) + 5.0 - 4.0);
    }
}
