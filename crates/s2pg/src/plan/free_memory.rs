//! The memory that this process may still take.

use std::fs;

/// Returns the bytes of memory that this process may still take: the memory that the system has free, or the rest of
/// the control group's limit where that is less. Files that are cached in memory are not counted as taken. None where
/// the system tells neither number.
pub fn available() -> Option<usize> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<usize>().ok()
    };
    let left = |limit: &str, used: &str, stat: &str, name: &str| {
        let files = field(stat, name).unwrap_or(0);
        Some(number(limit)?.saturating_sub(number(used)?.saturating_sub(files)))
    };
    let group = "/sys/fs/cgroup";
    let second = left(
        &format!("{group}/memory.max"),
        &format!("{group}/memory.current"),
        &format!("{group}/memory.stat"),
        "inactive_file ",
    );
    let first = left(
        &format!("{group}/memory/memory.limit_in_bytes"),
        &format!("{group}/memory/memory.usage_in_bytes"),
        &format!("{group}/memory/memory.stat"),
        "total_inactive_file ",
    );
    let system = field("/proc/meminfo", "MemAvailable:").map(|kilobytes| kilobytes * 1024);
    [system, second, first].into_iter().flatten().min()
}
