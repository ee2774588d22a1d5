"""An exported ONNX model does in onnxruntime what the policy did, for one row and for many; skipped without the runtime."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

EXPERIMENT = """
algorithm = "ppo"
estimator = "rs"
steps = 400

[env]
name = "PendulumPOMDP-v1"

[network]
features = 8
critic_features = 8
hidden = 8
cell = "lstm"

[ppo]
steps = 200

[evaluation]
every = 0
"""


@pytest.mark.skipif("S2PG_BINARY" not in os.environ, reason="S2PG_BINARY names no program")
def test_a_model_does_what_the_policy_did(tmp_path):
    (tmp_path / "small.toml").write_text(EXPERIMENT)
    # The program runs the first python3 that it finds.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    s2pg = lambda *words: subprocess.run(
        [os.environ["S2PG_BINARY"], *map(str, words)],
        check=True, capture_output=True, text=True, env=os.environ | {"PATH": path},
    ).stdout
    run = tmp_path / "run"
    s2pg("train", tmp_path / "small.toml", "--dir", run)
    for more in [], ["--drawn"], ["--batched"]:
        told = s2pg("export", run, "--to", "onnx", *more)
        assert told.startswith("onnx by onnxruntime: held against 1000 steps of the policy: "), told
