//! Signals that the whole program answers in one way; the signals that stop a training are in `train.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A reader that goes away, as `head` does, ends the program quietly.
pub fn end_without_reader() {
    let always = Arc::new(AtomicBool::new(true));
    // Where this fails, the next line that is printed is an error that says so.
    let _ = signal_hook::flag::register_conditional_default(signal_hook::consts::SIGPIPE, always);
}
