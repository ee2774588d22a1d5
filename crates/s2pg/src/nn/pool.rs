//! Buffers that are used again: a steady update allocates no memory for numbers.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// The free buffers of one thread; list i holds those with room for 2^i numbers.
pub struct Pool<T>(Vec<Vec<Vec<T>>>);

impl<T> Pool<T> {
    const fn new() -> Self {
        Self(Vec::new())
    }
}

thread_local! {
    static POOL_F32: RefCell<Pool<f32>> = const { RefCell::new(Pool::new()) };
    static POOL_F64: RefCell<Pool<f64>> = const { RefCell::new(Pool::new()) };
}

/// A type of numbers of which each thread has a pool of free buffers.
pub trait Pooled: Copy + Default + 'static {
    /// Not a number; what unwritten buffers hold in debug builds.
    const NAN: Self;

    /// Lends this thread's pool of free buffers to `f`, and returns what `f` returns.
    fn with_pool<R>(f: impl FnOnce(&mut Pool<Self>) -> R) -> R;
}

impl Pooled for f32 {
    const NAN: Self = f32::NAN;

    fn with_pool<R>(f: impl FnOnce(&mut Pool<Self>) -> R) -> R {
        POOL_F32.with_borrow_mut(f)
    }
}

impl Pooled for f64 {
    const NAN: Self = f64::NAN;

    fn with_pool<R>(f: impl FnOnce(&mut Pool<Self>) -> R) -> R {
        POOL_F64.with_borrow_mut(f)
    }
}

/// A fixed count of numbers in memory from the pool of the thread; when the buffer is dropped, its memory returns to
/// the pool of the thread that drops it.
#[derive(Debug)]
pub struct Buffer<T: Pooled> {
    room: Vec<T>,
    len: usize,
}

impl<T: Pooled> Buffer<T> {
    /// A buffer of `len` numbers with unspecified values: NaN in debug builds.
    pub fn new(len: usize) -> Self {
        let class = len.next_power_of_two().trailing_zeros() as usize;
        let free = T::with_pool(|pool| pool.0.get_mut(class).and_then(Vec::pop));
        let mut room = free.unwrap_or_else(|| vec![T::default(); 1 << class]);
        if cfg!(debug_assertions) {
            room[..len].fill(T::NAN);
        }
        Self { room, len }
    }

    /// A buffer of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.fill(T::default());
        buffer
    }

    /// A buffer with a copy of `values`.
    pub fn copy(values: &[T]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T: Pooled> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.room[..self.len]
    }
}

impl<T: Pooled> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[..self.len]
    }
}

impl<T: Pooled> Drop for Buffer<T> {
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
