"""Records what crates/s2pg-mujoco/tests compares with: Gymnasium's compiled models and rollouts.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install "gymnasium[mujoco]==1.4.0" mujoco==3.17.0
    /tmp/venv/bin/python reference/gymnasium_v5.py

For each task one safetensors file: `model.*`, `opt.*` and `stat.*` are the numbers of the compiled model that dynamics can
depend on, `state` the integration state after a reset, `place` the x from which the task measures the first step's distance,
and `actions`, `observations`, `rewards` and `terminated` a rollout from there, which goes on after a fall. A third of the
actions lies outside the motors' range.
"""

import json
import os
import pathlib
import struct
import tempfile

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.mujoco.humanoid_v5 import mass_center

TASKS = {
    "ant": "Ant-v5",
    "half_cheetah": "HalfCheetah-v5",
    "hopper": "Hopper-v5",
    "humanoid": "Humanoid-v5",
    "inverted_pendulum": "InvertedPendulum-v5",
    "walker2d": "Walker2d-v5",
}
STEPS = 200
OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/s2pg-mujoco/tests/golden"
# Names, looks, user data, sizes of buffers, and what needs kinds of object that these bodies have not.
WITHOUT = ("name", "paths", "names", "cam_", "light_", "mat_", "tex_", "text_", "tuple_", "numeric_", "key_", "skin_", "hfield_",
           "mesh_", "flex", "efm", "site_", "sensor_", "tendon_", "ten_", "wrap_", "eq_", "pair_", "exclude_", "plugin", "oct_",
           "geom_rgba", "geom_matid", "geom_group", "jnt_group", "actuator_group")
DTYPES = {"float64": "F64", "float32": "F32", "int32": "I32", "uint8": "U8", "bool": "BOOL", "uint32": "U32", "int64": "I64"}


def numbers(thing, prefix):
    for name in dir(thing):
        value = getattr(thing, name)
        if name.startswith(("_", *WITHOUT)) or name.endswith(("_user", "_plugin")) or callable(value):
            continue
        if isinstance(value, np.ndarray):
            yield prefix + name, value
        elif isinstance(value, (int, float)) and prefix != "model.":
            yield prefix + name, np.array([value], np.int32 if isinstance(value, int) else np.float64)


def save(path, tensors):
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": DTYPES[str(x.dtype)], "shape": x.shape, "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(x).tobytes() for x in tensors.values()))


# MuJoCo writes its warnings to a file in the working directory.
os.chdir(tempfile.mkdtemp())
for file, task in TASKS.items():
    env = gymnasium.make(task).unwrapped
    observation, _ = env.reset(seed=1)
    tensors = {}
    for thing, prefix in [(env.model, "model."), (env.model.opt, "opt."), (env.model.stat, "stat.")]:
        tensors.update(numbers(thing, prefix))
    spec = mujoco.mjtState.mjSTATE_INTEGRATION
    tensors["state"] = np.empty(mujoco.mj_stateSize(env.model, spec))
    mujoco.mj_getState(env.model, env.data, tensors["state"], spec)
    places = {"ant": lambda: env.data.body(1).xpos[0], "humanoid": lambda: mass_center(env.model, env.data)[0]}
    tensors["place"] = np.array([places.get(file, lambda: env.data.qpos[0])()])
    low, high = 1.5 * env.model.actuator_ctrlrange.T
    actions = np.random.default_rng(2).uniform(low, high, (STEPS, env.model.nu)).astype(np.float32)
    observations, rewards, falls = [observation], [], []
    for action in actions:
        observation, reward, terminated, _, _ = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        falls.append(terminated)
    tensors |= {"actions": actions, "observations": np.array(observations)}
    tensors |= {"rewards": np.array(rewards, np.float64), "terminated": np.array(falls, np.uint8)}
    # 64-bit numbers first, so that every tensor is aligned.
    save(OUT / f"{file}.safetensors", dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))))
    print(file, len(tensors), "tensors,", sum(falls), "steps on the ground")
