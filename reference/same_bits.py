#!/usr/bin/env python3
"""Do two builds of s2pg train alike, to the bit?

    reference/same_bits.py OLD_BINARY NEW_BINARY [old/item=new/item ...]

Trains twelve short runs with each binary, one for each algorithm and each memory, and compares the last checkpoints item
by item, and progress.csv and eval.csv byte by byte. A pair `old=new` says that items whose names begin with `old` have
names that begin with `new` in the second. Needs nothing but Python; takes two to six minutes.

The length of the event file is not compared: the event file begins with the text of the experiment, whose keys may differ.
"""

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

QUICK = ["evaluation.every=1000", "evaluation.episodes=1", "checkpoint.every=0"]
SMALL = [f"{table}.{key}" for table in ("sac", "td3") for key in ("replay=5000", "initial=200", "warmup=300")]
SAC, TD3 = ([key for key in SMALL if key.startswith(table)] for table in ("sac", "td3"))
SIMPLE = ["network.policy=simple", "network.cell=elmanrelu"]
# Keys that had another name in an older binary.
OLDER = {"network.policy=simple": "reinforce.network=simple"}
RUNS = {
    "PPO-RS, HalfCheetah": ["ppo-rs/half-cheetah", "steps=6000", "env.parallel=2"],
    "PPO-BPTT-5, T-maze": ["ppo-rs/t-maze", "steps=8192", "estimator=bptt:5"],
    "PPO-BPTT over whole episodes, pendulum": ["ppo-rs/pendulum", "steps=8192", "estimator=bptt:full"],
    "PPO with a window, Hopper, as published": ["ppo-window-5/hopper", "steps=6000", "compat=official"],
    "TRPO, oracle, HalfCheetah": ["trpo-rs/half-cheetah", "steps=6000", "estimator=oracle", "critic=state"],
    "TRPO-RS with an LSTM, Ant": ["trpo-rs/ant", "steps=4000", "network.cell=lstm", "diagnostics=true"],
    "REINFORCE-RS with the published network, T-maze": ["reinforce-rs/t-maze", "steps=8000", *SIMPLE],
    "GPOMDP without memory, T-maze": ["gpomdp-rs/t-maze", "steps=4000", "estimator=vanilla"],
    "SAC-RS, HalfCheetah with masses": ["sac-rs/half-cheetah", "steps=1200", *SAC],
    "SAC-BPTT-5 with a critic of o, pendulum": ["sac-rs/pendulum", "steps=2000", "estimator=bptt:5", "critic=observation", *SAC],
    "TD3-RS with an LSTM, Walker2d, as published": ["td3-rs/walker2d", "steps=2000", "network.cell=lstm", "compat=official", *TD3],
    "DDPG with a window, pendulum": ["ddpg-rs/pendulum", "steps=2000", "estimator=window:5", "diagnostics=true", *TD3],
}


def items(path):
    """Name to (type, bytes) of every item of a checkpoint."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, start = json.loads(data[8 : 8 + length]), 8 + length
    header.pop("__metadata__")
    found = {name: (x["dtype"], data[start + x["data_offsets"][0] : start + x["data_offsets"][1]]) for name, x in header.items()}
    # The lengths of progress.csv, eval.csv and the event file.
    kind, lengths = found["file_lengths"]
    return found | {"file_lengths": (kind, lengths[:16])}


def train(binary, run, directory):
    command = [binary, "train", *run, *QUICK, "--plain", "--dir", directory]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 64 and any(key in OLDER for key in run):
        return train(binary, [OLDER.get(key, key) for key in run], directory)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")


def main(old, new, *renamed):
    renamed = [pair.split("=") for pair in renamed]

    def name_in_new(name):
        return next((b + name[len(a) :] for a, b in renamed if name.startswith(a)), name)

    failed = False
    for title, run in RUNS.items():
        with tempfile.TemporaryDirectory() as parent:
            a, b = Path(parent, "old"), Path(parent, "new")
            train(old, run, a)
            train(new, run, b)
            before, after = (items(d / "checkpoints/latest.safetensors") for d in (a, b))
            before = {name_in_new(name): item for name, item in before.items()}
            differ = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            differ += [f for f in ("progress.csv", "eval.csv") if (a / f).read_bytes() != (b / f).read_bytes()]
        print(f"{title}: {len(before)} items, {len(differ)} differ {differ[:6] or ''}", flush=True)
        failed |= bool(differ)
    sys.exit(failed)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
