#!/usr/bin/env bash
# A campaign as the job array of a real Slurm: munged, slurmctld and slurmd are started on this machine, from Debian's
# package slurm-wlm, twelve tiny runs are submitted, and three of them are interrupted: one is told to end as before a
# limit of time, one is requeued as by a preemption, one is killed, and then the array is submitted again. All runs
# finish, and their files are those of the same campaign without Slurm, bit for bit. `./long-checks slurm` runs it, as
# root; it takes some three minutes. The argument is the program.
set -euo pipefail
program=$(realpath "$1")
for tool in munged slurmctld slurmd sbatch; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || { echo "there is no $tool: install slurm-wlm and munge" >&2; exit 64; }
done
export PATH=$(dirname "$program"):$PATH:/usr/sbin
dir=$(mktemp -d)
host=$(hostname -s)
export SLURM_CONF=$dir/slurm.conf
end() {
    for daemon in slurmd slurmctld munged; do [[ ! -f $dir/$daemon.pid ]] || kill "$(<"$dir/$daemon.pid")" || true; done
}
trap end EXIT

head -c 128 /dev/urandom >"$dir/munge.key"
chmod 600 "$dir/munge.key"
munged --key-file="$dir/munge.key" --socket="$dir/munge.sock" --pid-file="$dir/munged.pid" --seed-file="$dir/munge.seed" \
    --log-file="$dir/munged.log" --force
cat >"$SLURM_CONF" <<END
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MpiDefault=none
KillWait=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPort=26817
SlurmdPort=26818
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=$host Default=YES State=UP
END
mkdir "$dir/state" "$dir/spool"
slurmctld
slurmd

cd "$dir"
cat >tiny.toml <<END
experiments = ["ppo-rs/t-maze", "sac-rs/t-maze"]
estimators = ["rs", "vanilla"]
seeds = 3
steps = 8000
END
s2pg campaign tiny.toml --dir "$dir/local" &>/dev/null
s2pg campaign tiny.toml --dir "$dir/array" --slurm >/dev/null

wait_for() { # Until the command holds, at most for ten minutes.
    for _ in {1..600}; do
        if "$@"; then return; fi
        sleep 1
    done
    echo "in vain: $*; see $dir" >&2
    exit 1
}
begun() { # The run of a task of the array trains.
    squeue --noheader --array --state=RUNNING --format=%i | grep -qx "${job}_$1" && compgen -G "$dir/array/runs/$2-*" >/dev/null
}
is_empty() {
    # What was requeued would wait for two minutes.
    squeue --noheader --array --states=PENDING --format=%i | xargs -r -I% scontrol update jobid=% StartTime=now 2>/dev/null || true
    [[ -z $(squeue --noheader) ]]
}

job=$(sbatch --parsable "$dir/array/campaign.sbatch")
wait_for begun 6 sac-rs-TMaze-v0-0
# The task may be in the queue again before scancel has its answer: scancel would then try again.
timeout 2 scancel --signal=TERM --batch "${job}_6" 2>/dev/null || true
echo "task 6 was told that its time is over"
wait_for begun 8 sac-rs-TMaze-v0-2
scontrol requeue "${job}_8"
echo "task 8 was requeued"
wait_for begun 9 sac-vanilla-TMaze-v0-0
pkill -KILL -f "^s2pg campaign .*--only 9"
echo "the run of task 9 was killed"
wait_for is_empty
s2pg campaign tiny.toml --dir "$dir/array" --status | tail -1
job=$(sbatch --parsable "$dir/array/campaign.sbatch")
wait_for is_empty
s2pg campaign tiny.toml --dir "$dir/array" --status | tail -1
s2pg campaign tiny.toml --dir "$dir/array" --status | grep -q ': 12 finished'

# Clocks are in time.csv and in the events alone.
diff --recursive --exclude=time.csv --exclude='events.*' "$dir/local/runs" "$dir/array/runs"
echo "the files of 12 runs are those of the runs without Slurm"
end
trap - EXIT
sleep 2 # The daemons write until they have ended.
rm -r "$dir"
