//! A counting allocator, in a binary of its own.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use s2pg::env::Options;
use s2pg::rng::Rng;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Steps and observations allocate nothing on the heap.
#[test]
fn a_step_allocates_nothing() {
    for entry in s2pg_mujoco::entries() {
        let mut env = s2pg_mujoco::task(entry.name, &Options::new()).unwrap();
        let mut rng = Rng::new(0, "allocation");
        let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
        let mut a = vec![0.0; env.spec().low.len()];
        env.reset(&mut rng).unwrap();
        let before = COUNT.get();
        assert!(before > 0);
        for _ in 0..300 {
            a.iter_mut().for_each(|a| *a = rng.range(-1.0, 1.0) as f32);
            env.step(&a, &mut rng).unwrap();
            env.observe(&mut o, &mut s);
        }
        assert_eq!(COUNT.get(), before, "{}", entry.name);
    }
}
