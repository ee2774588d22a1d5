//! Buffers that are used again: a steady update allocates no memory for numbers.

use std::ops::{Deref, DerefMut};

use super::Real;

/// Free buffers of one thread, by the logarithm of their size.
pub struct Pool<T>(Vec<Vec<Vec<T>>>);

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }
}

/// Numbers borrowed from the pool of the thread; they return to it when dropped.
#[derive(Debug)]
pub struct Buffer<T: Real> {
    room: Vec<T>,
    len: usize,
}

impl<T: Real> Buffer<T> {
    /// A buffer of `len` numbers with unspecified values: NaN in debug builds.
    pub fn new(len: usize) -> Self {
        let class = len.next_power_of_two().trailing_zeros() as usize;
        let free = T::with_pool(|pool| pool.0.get_mut(class).and_then(Vec::pop));
        let mut room = free.unwrap_or_else(|| vec![T::ZERO; 1 << class]);
        if cfg!(debug_assertions) {
            room[..len].fill(T::NAN);
        }
        Self { room, len }
    }

    /// A buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.fill(T::ZERO);
        buffer
    }

    /// A copy of `values`.
    pub fn copy(values: &[T]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.room[..self.len]
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[..self.len]
    }
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.room);
        if room.is_empty() {
            return;
        }
        let class = room.len().trailing_zeros() as usize;
        T::with_pool(|pool| {
            if pool.0.len() <= class {
                pool.0.resize_with(class + 1, Vec::new);
            }
            pool.0[class].push(room);
        });
    }
}
