//! The memory that this process may still take.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Returns the bytes of memory that this process may still take: the memory that the system has free, or what a limit
/// leaves, where that is less. None where the system tells nothing.
///
/// Limits are those of every control group from the group of this process up to the root, of either version, and those
/// of the process itself on its address space and its data. Files that are cached in memory are not counted as taken.
pub fn available() -> Option<usize> {
    available_in(Path::new("/"))
}

/// Returns the bytes of memory that this process holds; None where the system does not tell.
pub fn resident() -> Option<usize> {
    kilobytes(Path::new("/proc/self/status"), "VmRSS:")
}

/// Returns what [`available`] returns on a system whose files are below `root`.
fn available_in(root: &Path) -> Option<usize> {
    let system = kilobytes(&root.join("proc/meminfo"), "MemAvailable:");
    system.into_iter().chain(groups(root)).chain(own_limits(root)).min()
}

/// Returns the number behind the word `name` at the start of a line of a file.
fn field(path: &Path, name: &str) -> Option<usize> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kilobytes(path: &Path, name: &str) -> Option<usize> {
    Some(field(path, name)?.saturating_mul(1024))
}

/// Returns what the limits of the process leave: a limit on its address space, and one on its data.
fn own_limits(root: &Path) -> impl Iterator<Item = usize> {
    let of = root.join("proc/self");
    let left = move |(limit, taken)| {
        // A limit that is not set is no number but a word.
        let limit: usize = field(&of.join("limits"), limit)?;
        Some(limit.saturating_sub(kilobytes(&of.join("status"), taken)?))
    };
    [("Max address space", "VmSize:"), ("Max data size", "VmData:")].into_iter().filter_map(left)
}

/// The files of a control group of one version.
struct Files {
    limit: &'static str,
    used: &'static str,
    /// The word of the file `memory.stat` before the bytes of cached files that can be dropped.
    cached: &'static str,
}

const FIRST: Files =
    Files { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", cached: "total_inactive_file " };
const SECOND: Files = Files { limit: "memory.max", used: "memory.current", cached: "inactive_file " };

impl Files {
    /// Returns the bytes that the limit of the group in `dir` leaves; None where there is no limit.
    fn left(&self, dir: &Path) -> Option<usize> {
        let number = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<usize>().ok();
        let limit = number(self.limit)?;
        let cached = field(&dir.join("memory.stat"), self.cached).unwrap_or(0);
        Some(limit.saturating_sub(number(self.used)?.saturating_sub(cached)))
    }
}

/// Returns what the limits of the control groups leave, from the group of this process up to the root of each mounted
/// tree of groups.
fn groups(root: &Path) -> Vec<usize> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (mounts, own) = (read("proc/self/mountinfo"), read("proc/self/cgroup"));
    let mut left = Vec::new();
    for line in mounts.lines() {
        // "31 23 0:28 /root/of/the/mount /mount/point rw,relatime shared:1 - cgroup2 cgroup rw".
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let (before, after): (Vec<_>, Vec<_>) = (before.split(' ').collect(), after.split(' ').collect());
        let ([_, _, _, top, point, ..], [kind, .., options]) = (&before[..], &after[..]) else { continue };
        // "4:cpu,memory:/path" in the first version, "0::/path" in the second.
        let path_of = |controller: &str| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let has_it = parts.next()?.split(',').any(|c| c == controller);
                parts.next().filter(|_| has_it)
            })
        };
        let (files, path) = match *kind {
            "cgroup2" => (SECOND, path_of("")),
            "cgroup" if options.split(',').any(|o| o == "memory") => (FIRST, path_of("memory")),
            _ => continue,
        };
        let point = root.join(point.trim_start_matches('/'));
        // The path is one of the whole system, and a container may have mounted only a part of the tree.
        let path = Path::new(path.unwrap_or("/"));
        let inside = path.strip_prefix(top).unwrap_or(path).components();
        let inside: PathBuf = inside.filter(|part| matches!(part, Component::Normal(_))).collect();
        left.extend(inside.ancestors().filter_map(|group| files.left(&point.join(group))));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, as the root of a system.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn available(files: &[(&str, &str)]) -> Option<usize> {
        available_in(system(files).path())
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n");
    const UNLIMITED: &str = "Max data size      unlimited   unlimited   bytes\n";

    /// The tightest limit between the group of this process and the root counts, less what is taken under it and is no
    /// cached file.
    #[test]
    fn the_tightest_group_counts() {
        let with = |own: &str, job: &str| {
            available(&[
                MEMORY,
                ("proc/self/cgroup", "1:name=systemd:/x\n0::/slurm/job_7/step\n"),
                (
                    "proc/self/mountinfo",
                    "24 1 0:22 / /sys rw - sysfs sysfs rw\n\
                     31 24 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup rw\n",
                ),
                ("sys/fs/cgroup/slurm/memory.max", "max\n"),
                ("sys/fs/cgroup/slurm/memory.current", "7000\n"),
                ("sys/fs/cgroup/slurm/job_7/memory.max", job),
                ("sys/fs/cgroup/slurm/job_7/memory.current", "1000\n"),
                ("sys/fs/cgroup/slurm/job_7/memory.stat", "anon 600\ninactive_file 400\n"),
                ("sys/fs/cgroup/slurm/job_7/step/memory.max", own),
                ("sys/fs/cgroup/slurm/job_7/step/memory.current", "500\n"),
                // A group beside ours limits others.
                ("sys/fs/cgroup/other/memory.max", "1\n"),
                ("sys/fs/cgroup/other/memory.current", "0\n"),
            ])
        };
        assert_eq!(with("max", "max"), Some(8000 * 1024));
        assert_eq!(with("max", "50000"), Some(50000 - (1000 - 400)));
        assert_eq!(with("20000", "50000"), Some(20000 - 500));
        assert_eq!(with("60000", "50000"), Some(50000 - 600));
        assert_eq!(with("100", "50000"), Some(0));
    }

    /// The first version of control groups counts as the second does; there, the limit of an unlimited group is a huge
    /// number.
    #[test]
    fn the_first_version_counts_too() {
        let group = "sys/fs/cgroup/memory/slurm/uid_5/job_7";
        let files = [
            ("proc/meminfo", "MemAvailable: 8000 kB\n"),
            ("proc/self/cgroup", "9:cpu:/\n4:hugetlb,memory:/slurm/uid_5/job_7\n0::/\n"),
            (
                "proc/self/mountinfo",
                "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "77777\n"),
            (&format!("{group}/memory.limit_in_bytes"), "9223372036854771712\n"),
            (&format!("{group}/memory.usage_in_bytes"), "300\n"),
            ("sys/fs/cgroup/memory/slurm/uid_5/memory.limit_in_bytes", "6000\n"),
            ("sys/fs/cgroup/memory/slurm/uid_5/memory.usage_in_bytes", "2000\n"),
            ("sys/fs/cgroup/memory/slurm/uid_5/memory.stat", "inactive_file 9\ntotal_inactive_file 500\n"),
        ];
        assert_eq!(available(&files), Some(6000 - (2000 - 500)));
    }

    /// A container has its limit: there the tree is mounted from the container's own group on, and the path of this
    /// process may be that of the whole system.
    #[test]
    fn a_container_has_its_limit() {
        for path in ["/docker/c0ffee/job", "/job"] {
            let files = [
                MEMORY,
                ("proc/self/cgroup", &format!("0::{path}\n")[..]),
                ("proc/self/mountinfo", "31 24 0:28 /docker/c0ffee /sys/fs/cgroup ro - cgroup2 cgroup rw\n"),
                ("sys/fs/cgroup/memory.max", "9000\n"),
                ("sys/fs/cgroup/memory.current", "1000\n"),
                ("sys/fs/cgroup/job/memory.max", "3000\n"),
                ("sys/fs/cgroup/job/memory.current", "100\n"),
            ];
            assert_eq!(available(&files), Some(2900), "{path}");
        }
        // A group outside of what is mounted: the top of what is mounted counts.
        let files = [
            MEMORY,
            ("proc/self/cgroup", "0::/../elsewhere\n"),
            ("proc/self/mountinfo", "31 24 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/memory.max", "9000\n"),
            ("sys/fs/cgroup/memory.current", "1000\n"),
        ];
        assert_eq!(available(&files), Some(8000));
    }

    /// A limit on the address space of the process counts, less what the process has; where nothing is told, nothing is
    /// known.
    #[test]
    fn limits_of_the_process_count() {
        let limits = format!("Limit  Soft Limit  Units\n{UNLIMITED}Max address space  9000000  unlimited  bytes\n");
        let status = ("proc/self/status", "VmSize:\t   5000 kB\nVmRSS:\t 100 kB\nVmData:\t 70 kB\n");
        assert_eq!(available(&[MEMORY, ("proc/self/limits", &limits), status]), Some(9_000_000 - 5000 * 1024));
        assert_eq!(available(&[MEMORY, ("proc/self/limits", UNLIMITED), status]), Some(8000 * 1024));
        assert_eq!(available(&[]), None);
        assert_eq!(available(&[("proc/self/mountinfo", "nonsense - \n - -\n"), ("proc/self/cgroup", ":\n0\n")]), None);
    }

    /// On this machine something is known.
    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells() {
        assert!(super::available().is_some_and(|free| free > 0) && resident().is_some_and(|held| held > 1 << 20));
    }
}
