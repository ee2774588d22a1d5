//! Signals: those that stop a training, and the one that the whole program answers in one way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::flag;

/// A reader that goes away, as `head` does, ends the program quietly.
pub fn end_without_reader() {
    let always = Arc::new(AtomicBool::new(true));
    // Where this fails, the next line that is printed is an error that says so.
    let _ = flag::register_conditional_default(SIGPIPE, always);
}

/// The signals that stop a training: SIGINT, SIGTERM, and SIGHUP, which comes from a terminal that is closed.
///
/// The first one asks the training to stop. The next one, of whichever kind, ends the process at once, which is safe at
/// any moment. The exit code is 128 and the number of the signal.
pub struct Stop {
    signal: Arc<AtomicUsize>,
    /// Whether a signal has come.
    again: Arc<AtomicBool>,
    /// Whether there is nothing to save.
    idle: Arc<AtomicBool>,
}

impl Stop {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        let stop = Self { signal: Arc::default(), again: Arc::default(), idle: Arc::default() };
        for s in [SIGINT, SIGTERM, SIGHUP] {
            if s == SIGHUP && ignores_hangup() {
                continue;
            }
            for ends_it in [&stop.again, &stop.idle] {
                flag::register_conditional_shutdown(s, 128 + s, Arc::clone(ends_it))?;
            }
            flag::register(s, Arc::clone(&stop.again))?;
            flag::register_usize(s, Arc::clone(&stop.signal), s as usize)?;
        }
        Ok(stop)
    }

    /// Returns the exit code, where a signal asks to stop.
    pub fn asked(&self) -> Option<u8> {
        let signal = self.signal.load(Ordering::Relaxed);
        (signal != 0).then_some(128 + signal as u8)
    }

    /// Returns a function that tells whether a signal asks to stop.
    pub fn is_asked(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let signal = Arc::clone(&self.signal);
        move || signal.load(Ordering::Relaxed) != 0
    }

    /// While there is nothing to save, the first signal ends the process at once.
    pub fn nothing_to_save(&self, idle: bool) {
        self.idle.store(idle, Ordering::Relaxed);
    }
}

/// Tells whether this process was started with SIGHUP ignored, as `nohup` does. Where the system does not tell, it was
/// not.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}
