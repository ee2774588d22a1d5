#!/usr/bin/env python3
"""Holds exported ONNX models against their vectors by two runtimes: onnxruntime, and the evaluator of the package onnx,
whose checker also reads each model. Policies of PPO, SAC, TD3 and GAIL with recurrent cells and oscillators are trained
for 400 steps, and exported with means, with draws, and for many rows at once.

Usage: onnx_parity.py BINARY, where BINARY is s2pg. Needs: pip install numpy onnx onnxruntime. Takes six minutes. Prints
for each model the largest difference of an action, and microseconds a step; exit code 1 above 1e-4.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

OFF = "replay = 500\nbatch = 8\ninitial = 300\n"
SETTINGS = {
    "ppo": "[ppo]\nsteps = 200\n",
    "sac": "[sac]\nwarmup = 300\n" + OFF,
    "td3": "[td3]\n" + OFF,
    "gail": '[gail]\nsteps = 200\ndemos = "DEMOS"\n',
}
CASES = [
    ("ppo", "rs", 'cell = "gru"\nhidden = 8'),
    ("ppo", "rs", 'cell = "lstm"\nhidden = 8'),
    ("ppo", "rs", 'cell = "elman"\nhidden = 8'),
    ("ppo", "rs", 'cell = "lru"\nhidden = 4'),
    ("ppo", "rs", 'cell = "cpg"\npolicy = "post"\nhidden = 3\ndt = 0.05\nsolver = "rk4"'),
    ("ppo", "tbptt:4", 'cell = "gru"\nhidden = 8'),
    ("ppo", "bptt:5", 'cell = "lstm"\nhidden = 8'),
    ("ppo", "vanilla", ""),
    ("sac", "rs", 'cell = "lstm"\nhidden = 6'),
    ("sac", "bptt:5", 'cell = "gru"\nhidden = 6'),
    ("td3", "rs", 'cell = "elman"\nhidden = 8'),
    ("td3", "window:3", ""),
    ("gail", "rs", 'cell = "gru"\nhidden = 8'),
]
FORMS = {"means": [], "draws": ["--drawn"], "many rows": ["--batched"], "many rows, draws": ["--batched", "--drawn"]}


def command(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def main(binary):
    binary = Path(binary).resolve()
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        train = lambda name, text: (
            (directory / f"{name}.toml").write_text(text),
            command(binary, "train", directory / f"{name}.toml", "--dir", directory / name, "--threads", 1, "--plain"),
        )
        common = 'steps = 400\nseed = 3\n[env]\nname = "PendulumPOMDP-v1"\n[evaluation]\nevery = 0\n'
        train("expert", f'algorithm = "ppo"\nestimator = "vanilla"\n{common}{SETTINGS["ppo"]}')
        demos = directory / "demos.npz"
        command(binary, "record", directory / "expert", "--out", demos)
        for i, (algorithm, estimator, memory) in enumerate(CASES):
            head = f'algorithm = "{algorithm}"\nestimator = "{estimator}"\n{common}'
            network = f"[network]\nfeatures = 8\ncritic_features = 8\n{memory}\n"
            train(str(i), head + network + SETTINGS[algorithm].replace("DEMOS", str(demos)))
            for form, arguments in FORMS.items():
                out = directory / f"{i}-{form}"
                # The command's own check is left out: it would be the first of the two that follow.
                command(binary, "export", directory / str(i), "--to", "onnx", "--out", out, *arguments, env={"PATH": ""})
                for runtime in "onnxruntime", "reference":
                    line = command(sys.executable, "policy_check.py", runtime, cwd=out).split()
                    told = dict(zip(line[::2], line[1::2]))
                    worst = max(worst, float(told["largest"]))
                    print(
                        f"{algorithm} {estimator} {memory.split(chr(10))[0]:15} {form:16} {runtime:11} "
                        f"{float(told['largest']):.1e} {told['microseconds']} µs",
                        flush=True,
                    )
    print(f"largest difference: {worst:.1e}")
    return int(not worst <= 1e-4)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
