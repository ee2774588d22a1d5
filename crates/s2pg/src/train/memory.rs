//! How much memory the machine has left.

use std::fs;

/// Bytes that this process may still take: what the system has free, or what is left of the control group's limit where
/// that is less. None where neither is told.
pub fn available() -> Option<usize> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let group = || number("/sys/fs/cgroup/memory.max")?.checked_sub(number("/sys/fs/cgroup/memory.current")?);
    let system = || {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.split_whitespace().next()?.parse::<usize>().ok()? * 1024)
    };
    system().into_iter().chain(group()).min()
}
