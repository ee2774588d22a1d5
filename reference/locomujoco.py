"""Records what crates/s2pg-mujoco/tests/loco.rs compares with: LocoMuJoCo's bodies, and steps that it takes.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install mujoco==3.17.0 numpy scipy gymnasium pyyaml wget gitpython \
        opencv-python-headless dm-env dm-tree absl-py lxml attrs wrapt labmaze glfw pyopengl pyparsing requests tqdm
    /tmp/venv/bin/pip install --no-deps mushroom-rl==1.10.2 dm_control==1.0.14
    /tmp/venv/bin/pip download --no-deps --no-binary :all: loco-mujoco==0.4.1 && tar xzf loco-mujoco-0.4.1.tar.gz
    PYTHONPATH=loco-mujoco-0.4.1 /tmp/venv/bin/python reference/locomujoco.py

LocoMuJoCo 0.4.1 asks for MuJoCo 2.3.7. Here its models and tasks run on the MuJoCo of the tests: free movement is the same
with both, and contacts are not.

One safetensors file a task. Of each kind of body (the sizes or the weights, in their order) `<kind>.<body>` is a body: mass,
centre of mass (3), inertia about it along the axes of the body (xx, yy, zz, xy, xz, yz), place (3) and attitude (4) in its
parent; `<kind>.joint.<name>` a joint: axis (3), range (2, zeros where there is none), stiffness, damping, armature; and
`<kind>.motor.<joint>` a motor: gear and range (2). `before`, `actions`, `after`, `rewards` and `falls` are steps of that kind: the
positions and velocities in the order in which they are observed, forward and sideways first, and the observation afterwards.
`free` are those in which nothing was touched. `capture_*.npz` are made-up motion capture, and the files of the same name hold the
states that LocoMuJoCo makes of it.
"""

import importlib.abc
import importlib.machinery
import json
import pathlib
import struct
import sys
from unittest.mock import MagicMock


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """MushroomRL imports these, and the tasks do not use them."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "sklearn", "pygame", "screeninfo"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(__path__=[], __spec__=spec)
        module.Tensor, module.nn.Module = type("Tensor", (), {}), type("Module", (), {})
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Absent())

import mujoco
import numpy as np
from loco_mujoco.environments.humanoids.atlas import Atlas
from loco_mujoco.environments.humanoids.humanoids import HumanoidTorque4Ages

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/s2pg-mujoco/tests/golden"
STEPS = 40
LENGTH = 33
SHAPES = {"floor", "foot_box_r", "foot_box_l"}


def save(path, tensors):
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": "F64", "shape": x.shape, "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(x).tobytes() for x in tensors.values()))


def bodies(model, kind):
    name = lambda what, i: mujoco.mj_id2name(model, what, i)
    for i in range(1, model.nbody):
        axes = np.empty(9)
        mujoco.mju_quat2Mat(axes, model.body_iquat[i])
        axes = axes.reshape(3, 3)
        inertia = axes @ np.diag(model.body_inertia[i]) @ axes.T
        inertia = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
        rows = [[model.body_mass[i]], model.body_ipos[i], inertia, model.body_pos[i], model.body_quat[i]]
        yield f"{kind}.{name(mujoco.mjtObj.mjOBJ_BODY, i)}", np.concatenate(rows)
    for i in range(model.njnt):
        limits = model.jnt_range[i] * model.jnt_limited[i]
        rest = [model.jnt_stiffness[i], model.dof_damping[i], model.dof_armature[i]]
        yield f"{kind}.joint.{name(mujoco.mjtObj.mjOBJ_JOINT, i)}", np.concatenate([model.jnt_axis[i], limits, rest])
    for i in range(model.nu):
        joint = name(mujoco.mjtObj.mjOBJ_JOINT, model.actuator_trnid[i, 0])
        yield f"{kind}.motor.{joint}", np.concatenate([model.actuator_gear[i, :1], model.actuator_ctrlrange[i]])


def touching(env):
    """Names of the shapes that touch another one."""
    name = lambda i: mujoco.mj_id2name(env._model, mujoco.mjtObj.mjOBJ_GEOM, i) or ""
    contacts = env._data.contact[: env._data.ncon] if env._data.ncon else []
    return {name(i) for contact in contacts for i in (contact.geom1, contact.geom2)}


def steps(env, kind, rng):
    """Steps from random poses, in which only feet touch only the floor, and half of which touch nothing."""
    joints = [name for key, name, _ in env.obs_helper.observation_spec if key.startswith("q_")]
    rows = []
    while len(rows) < STEPS:
        free = len(rows) < STEPS // 2
        env._current_model_idx, env._model, env._data = kind, env._models[kind], env._datas[kind]
        env.obs_helper = env.obs_helpers[kind]
        mujoco.mj_resetData(env._model, env._data)
        limits = {j: env._model.joint(j).range * env._model.jnt_limited[env._model.joint(j).id] for j in joints}
        q = np.array([rng.uniform(*limits[j]) * rng.choice([0.3, 1.1]) if any(limits[j]) else rng.normal() * 0.15 for j in joints])
        q[:2] = rng.normal(size=2)
        q[2] = rng.uniform(0.05, 0.6) if free else rng.uniform(-0.05, 0.01)
        if not free:
            q[3:] *= 0.2
        v = rng.normal(size=len(joints)) * (1.5 if free else 0.5)
        env.set_sim_state(np.concatenate([q, v]))
        env._obs = env._create_observation(env.obs_helper._build_obs(env._data))
        action = (rng.uniform(-1.3, 1.3, env._model.nu) * (1 if free else 0.1)).astype(np.float32).astype(float)
        before, touched = env._obs, set()
        original = mujoco.mj_step

        def step(model, data, n=1):
            for _ in range(n):
                original(model, data)
                touched.update(touching(env))

        mujoco.mj_step = step
        after, reward, fell, _ = env.step(action)
        mujoco.mj_step = original
        feet = {name for name in touched if "foot" in name}
        if (touched if free else touched - feet - {"floor"} or not feet):
            continue
        assert len(after) == len(before)
        rows.append((np.concatenate([q, v]), action, after, [reward], [float(fell)], [float(free)]))
    names = ("before", "actions", "after", "rewards", "falls", "free")
    return {f"{kind}.{name}": np.array(column) for name, column in zip(names, zip(*rows))}


def record(file, env):
    tensors, rng = {}, np.random.default_rng(1)
    for kind, model in enumerate(env._models):
        tensors.update(bodies(model, kind))
        tensors.update(steps(env, kind, rng))
    free = sum(tensors[f"{kind}.falls"].sum() for kind in range(4))
    print(file, f"{free:.0f} falls of {4 * STEPS} steps")
    save(OUT / f"{file}.safetensors", tensors)


def capture(file, env, trajectories):
    """Made-up motion capture, and the states that LocoMuJoCo makes of it."""
    rng, arrays = np.random.default_rng(3), {}
    t = np.arange(LENGTH) / 500
    for key, _, _ in env.obs_helper.observation_spec:
        waves = [rng.uniform(0.02, 0.05) * np.sin(rng.uniform(5, 60) * t + rng.uniform(0, 6)) for _ in range(trajectories)]
        arrays[key] = np.concatenate(waves) + (1.0 if key == "dq_pelvis_tx" else 0.0)
    arrays["split_points"] = LENGTH * np.arange(trajectories + 1)
    path = OUT / f"{file}.npz"
    (np.savez_compressed if trajectories > 1 else np.savez)(path, **arrays)
    env.load_trajectory(dict(traj_path=path, traj_dt=1 / 500, control_dt=1 / 100), warn=False)
    dataset = env.create_dataset()
    save(OUT / f"{file}.safetensors", {name: np.array(dataset[name]) for name in ("states", "next_states", "last")})


common = dict(random_start=False)
for task, velocity in (("walk", 1.25), ("run", 2.5)):
    reward = dict(reward_type="multi_target_velocity", reward_params=dict(target_velocity=velocity))
    people = HumanoidTorque4Ages(**reward, **common)
    record(f"loco_{task}", people)
atlas = Atlas(hold_weight=True, reward_type="target_velocity", reward_params=dict(target_velocity=1.25), **common)
record("loco_carry", atlas)
capture("capture_people", people, 8)
capture("capture_atlas", atlas, 1)
