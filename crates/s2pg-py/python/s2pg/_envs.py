"""Environments of Python for the trainer: what makes them, describes them, steps them, and where they live.

An environment lives in a `Local` slot of this process, or in one of a worker process that a `Remote` slot stands for.
A slot has arrays that the trainer sees: `a`, the action; `o` and `s`, the views of policy and critic; and `out`: reward,
terminated, truncated and status. Those of a worker lie in memory that both processes share.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import warnings

import numpy as np

from ._s2pg import Error

IDLE, PENDING, READY, FAILED = 0.0, 1.0, 2.0, 3.0
# Steps of a slot in which observations are held against their space; later only the first of each episode are.
WATCHED = 200
# Entries of an observation.
MOST = 10_000_000


def _gymnasium():
    try:
        import gymnasium
    except ImportError:
        raise Error("environments of Python need the package gymnasium; install it with: pip install gymnasium") from None
    return gymnasium


# What an environment shows and takes


class View:
    """A space of observations, as a row of numbers."""

    def __init__(self, space, prefix):
        gymnasium = _gymnasium()
        self.space, self.is_box = space, isinstance(space, gymnasium.spaces.Box)
        if self.is_box:
            self.shape, self.n = space.shape, int(np.prod(space.shape))
            self.low, self.high = space.low.ravel(), space.high.ravel()
            self.is_bounded = bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())
        else:
            if not getattr(space, "is_np_flattenable", False):
                raise Error(
                    f"its observation space {_short(space)} is no row of numbers; give s2pg a Box, or a Dict or Tuple of such"
                )
            self.flatten, self.n = gymnasium.spaces.flatten, gymnasium.spaces.flatdim(space)
            self.is_bounded = False
        if self.n > MOST:
            raise Error(f"an observation has {self.n} entries, and s2pg takes at most {MOST}; show the policy less")
        self.names = [f"{prefix}{i}" for i in range(self.n)]

    def write(self, observation, to):
        """Writes an observation into the array `to`."""
        if self.is_box:
            x = observation if type(observation) is np.ndarray else np.asarray(observation)
            if x.shape != self.shape:
                raise Error(f"an observation has the shape {x.shape}, and its space says {self.shape}; make them agree")
            to[:] = x.ravel()
        else:
            to[:] = self.flatten(self.space, observation)

    def leaves(self, observation):
        """Says how an observation leaves its space; None where it does not."""
        if not self.is_bounded:
            return None
        x = np.asarray(observation, dtype=np.float64).ravel()
        # Half a rounding of single precision is no fault.
        outside = np.flatnonzero((x < self.low - 1e-6 * (1 + abs(self.low))) | (x > self.high + 1e-6 * (1 + abs(self.high))))
        if outside.size == 0:
            return None
        i = outside[0]
        return f"entry {i} of an observation is {x[i]:g}, and its space says {self.low[i]:g} to {self.high[i]:g}"


class Views:
    """The views of policy and critic in the observations of an environment: the entries `policy` and `privileged`, or
    `critic`, of a dictionary; else both see the whole observation."""

    def __init__(self, space):
        gymnasium = _gymnasium()
        self.space, self.keys = space, (None, None)
        if isinstance(space, gymnasium.spaces.Dict) and "policy" in space.spaces:
            critic = next((key for key in ("privileged", "critic") if key in space.spaces), None)
            self.keys = ("policy", critic or "policy")
            self.o = View(space["policy"], "o")
            self.s = View(space[critic], "s") if critic else self.o
        else:
            self.o = self.s = View(space, "o")

    def write(self, observation, o, s):
        if self.keys[0] is None:
            self.o.write(observation, o)
            s[:] = o
            return
        for key, view, to in ((self.keys[0], self.o, o), (self.keys[1], self.s, s)):
            try:
                part = observation[key]
            except (KeyError, IndexError, TypeError):
                raise Error(f"an observation has no entry `{key}`, which its space has") from None
            view.write(part, to)

    def leaves(self, observation):
        if self.keys[0] is None:
            return self.o.leaves(observation)
        return self.o.leaves(observation[self.keys[0]]) or self.s.leaves(observation[self.keys[1]])


class Single:
    """The only environment of a vector of one. A vector resets by itself where an episode ends, in one of three modes; the
    observation of a step is here always the last of the episode, and `reset` always begins the next one."""

    def __init__(self, envs):
        if envs.num_envs != 1:
            raise Error(f"it is a vector of {envs.num_envs} environments; give s2pg one, of which it makes `env.parallel`")
        self.envs, self.spec = envs, envs.spec
        self.observation_space, self.action_space = envs.single_observation_space, envs.single_action_space

    def reset(self, seed=None):
        o, info = self.envs.reset(seed=seed)
        return _first(o), info

    def step(self, action):
        o, r, terminated, truncated, info = self.envs.step(action[None])
        ended = terminated[0] or truncated[0]
        last = info["final_obs"][0] if ended and "final_obs" in info else _first(o)
        return last, r[0], terminated[0], truncated[0], info

    def close(self):
        self.envs.close()


def _first(o):
    if isinstance(o, dict):
        return {key: _first(value) for key, value in o.items()}
    return tuple(_first(value) for value in o) if isinstance(o, tuple) else o[0]


def _short(x):
    text = " ".join(str(x).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _make(name, options, given):
    """Makes an environment: `given` is the function where it was handed over, and else None."""
    gymnasium = _gymnasium()
    if name.startswith("gym:"):
        env = gymnasium.make(name[4:], disable_env_checker=True, **options)
    elif given is not None:
        env = given(**options)
    else:
        module, _, function = name.removeprefix("python:").rpartition(":")
        if module in ("", "__main__") or not function.isidentifier():
            raise Error(
                "this function lives in a program or a notebook; hand it over again, as s2pg.train(..., env=function) and "
                "s2pg.load(..., env=function) do, or move it to a module and write python:module:function"
            )
        sys.path[0:0] = [] if "" in sys.path or os.getcwd() in sys.path else [""]
        env = getattr(importlib.import_module(module), function)(**options)
    if isinstance(env, gymnasium.vector.VectorEnv):
        env = Single(env)
    if not all(hasattr(env, name) for name in ("reset", "step", "observation_space", "action_space")):
        raise Error(f"what was made is {_short(type(env).__name__)} and no environment of Gymnasium; return one")
    return env


def _description(env, views):
    """Names of the entries of o and s, bounds of the action, time limit, and seconds of a step."""
    gymnasium = _gymnasium()
    space = env.action_space
    if not isinstance(space, gymnasium.spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        raise Error(f"its action space is {_short(space)}, and s2pg draws numbers with a point; it needs a Box of floats")
    limit, inner = None, env
    while inner is not None and limit is None:
        limit = getattr(inner, "_max_episode_steps", None) or getattr(getattr(inner, "spec", None), "max_episode_steps", None)
        inner = inner.__dict__.get("env")
    dt = getattr(getattr(env, "unwrapped", env), "dt", None)
    dt = float(dt) if isinstance(dt, (int, float)) and 0 < dt < np.inf else 1.0
    with np.errstate(over="ignore"):
        bounds = [bound.astype(np.float32).ravel().tolist() for bound in (space.low, space.high)]
    return views.o.names, views.s.names, *bounds, limit, dt


# Where environments live


class Local:
    """An environment in this process."""

    def __init__(self, name, options, given):
        self.name, self.steps, self.is_told, self.notes = name, 0, False, []
        self.env = _make(name, options, given)
        self.views = Views(self.env.observation_space)
        self.description = _description(self.env, self.views)
        self.sizes = len(self.description[2]), self.views.o.n, self.views.s.n
        self.shape, self.dtype = self.env.action_space.shape, self.env.action_space.dtype
        self.error = (False, "")

    def use(self, arrays):
        self.a, self.o, self.s, self.out = arrays
        return self

    def reset(self, seed):
        result = self.env.reset(seed=seed)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise Error("its `reset` returns something else than Gymnasium's pair (observation, info)")
        space = self.env.observation_space
        if space is not self.views.space and space != self.views.space:
            raise Error(
                f"its observation space was {_short(self.views.space)} and is now {_short(space)}; the space must not change"
            )
        self.views.write(result[0], self.o, self.s)
        self.hold_against_space(result[0])

    def run(self):
        """Takes a step; an exception becomes the status."""
        try:
            result = self.env.step(self.a.reshape(self.shape).astype(self.dtype))
            if not (isinstance(result, tuple) and len(result) == 5):
                raise Error(
                    "its `step` returns something else than Gymnasium's (observation, reward, terminated, truncated, info)"
                )
            observation, r, terminated, truncated, _ = result
            self.views.write(observation, self.o, self.s)
            self.out[0], self.out[1], self.out[2] = float(r), bool(terminated), bool(truncated)
            if self.steps < WATCHED:
                self.hold_against_space(observation)
            self.steps += 1
            self.out[3] = READY
        except Error as e:
            self.fail(True, str(e))
        except Exception as e:
            self.fail(False, _words(e))

    def fail(self, is_fault, words):
        self.error = is_fault, words
        self.out[3] = FAILED

    def hold_against_space(self, observation):
        if self.is_told:
            return
        how = self.views.leaves(observation)
        if how is not None:
            self.is_told = True
            self.notes.append(f"{self.name}: {how}; the training goes on with it")

    def close(self):
        if hasattr(self.env, "close"):
            self.env.close()


def _words(e):
    text = " ".join(str(e).split())
    return f"{type(e).__name__}: {text}" if text else type(e).__name__


def _arrays(sizes, memory=None):
    """The arrays a, o, s and out of a slot, in the block `memory` or in memory of their own."""
    a, o, s = sizes
    memory = bytearray(_bytes(sizes)) if memory is None else memory
    out = np.frombuffer(memory, np.float64, 4)
    rest = np.frombuffer(memory, np.float32, a + o + s, offset=32)
    out[:] = 0
    return rest[:a], rest[a : a + o], rest[a + o :], out


def _bytes(sizes):
    return 32 + 4 * sum(sizes)


def _mapped(fd, offset, sizes):
    return mmap.mmap(fd, _bytes(sizes), offset=offset)


class Remote:
    """An environment in a worker process."""

    def __init__(self, worker, name, options, is_given):
        self.worker, self.error = worker, (False, "")
        self.number, self.description, self.sizes = worker.ask(("make", name, options, is_given))
        page = mmap.ALLOCATIONGRANULARITY
        offset = worker.length
        worker.length += -(-_bytes(self.sizes) // page) * page
        os.ftruncate(worker.memory, worker.length)
        worker.ask(("map", self.number, offset))
        self.a, self.o, self.s, self.out = _arrays(self.sizes, _mapped(worker.memory, offset, self.sizes))

    def reset(self, seed):
        self.worker.ask(("reset", self.number, seed))

    def fail(self, is_fault, words):
        self.error = is_fault, words
        self.out[3] = FAILED


class Worker:
    """A process in which environments live."""

    def __init__(self, given, timeout):
        self.timeout, self.length, self.slots, self.end = timeout, 0, 0, None
        try:
            import cloudpickle as pickler
        except ImportError:
            pickler = pickle
        try:
            given = pickler.dumps(given)
        except Exception as e:
            raise Error(f"the function cannot be sent to a worker process ({_words(e)}); take workers=0") from None
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.file = tempfile.TemporaryFile(dir=shared)
        self.memory = self.file.fileno()
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(timeout)
        # The worker ends when this end of the pipe is closed, however this process ends.
        alive, self.life = os.pipe()
        here = os.path.join(os.path.dirname(__file__), "_worker.py")
        fds = [theirs.fileno(), self.memory, alive]
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        command = [sys.executable, here, *map(str, fds)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=fds, env=environment)
        theirs.close()
        os.close(alive)
        # The package and the program's own modules are found where this process found them.
        self.send((sys.path, given))

    def send(self, what):
        try:
            send(self.socket, what)
        except OSError:
            raise self.ended() from None

    def receive(self):
        try:
            answer = receive(self.socket)
        except TimeoutError:
            self.kill()
            self.end = f"its worker process did not answer within {self.timeout:g} s and was stopped; give a longer `timeout`"
            answer = None
        except OSError:
            answer = None
        if answer is None:
            raise self.ended()
        return answer

    def ask(self, what):
        self.send(what)
        kind, answer, notes = self.receive()
        for note in notes:
            warnings.warn(note, stacklevel=2)
        if kind == "fault":
            raise Error(answer)
        if kind == "failed":
            raise Failed(answer)
        return answer

    def ended(self):
        if self.end is None:
            try:
                code = self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
                code = "unknown"
            how = f"was killed by signal {-code}" if isinstance(code, int) and code < 0 else f"ended with exit code {code}"
            self.end = f"its worker process {how}; the run goes on from its last checkpoint when it is started again"
        return Error(self.end)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        """Lets the environments close, and ends the process."""
        if self.process.poll() is None:
            try:
                self.socket.settimeout(2)
                send(self.socket, ("close",))
                self.process.wait(2)
            except (OSError, subprocess.TimeoutExpired):
                self.kill()
        self.socket.close()
        self.file.close()
        os.close(self.life)


class Failed(Exception):
    """An exception of an environment in a worker, in its words."""


def send(to, what):
    data = pickle.dumps(what)
    to.sendall(len(data).to_bytes(8, "little") + data)


def receive(of):
    """The next message; None where the other end is closed."""
    data = of.recv(1 << 16)
    while len(data) < 8 or len(data) < 8 + int.from_bytes(data[:8], "little"):
        if data and not (more := of.recv(1 << 20)):
            data = b""
        if not data:
            return None
        data += more
    return pickle.loads(data[8:])


class Source:
    """Makes the environments of a training, and keeps those that are not in use, to be used again: an episode is what its
    seed says, so that it does not matter where it is played."""

    def __init__(self, given=None, given_name=None, workers=0, timeout=300.0):
        self.given, self.given_name, self.timeout = given, given_name, timeout
        self.wanted, self.workers, self.locals = workers, [], []
        self.free, self.pending, self.lock = {}, [], threading.Lock()

    def make(self, name, options):
        """A slot with an environment of this name and these options, which are JSON."""
        free = self.free.setdefault((name, options), [])
        if free:
            return free.pop()
        is_given = self.given is not None and name == self.given_name
        if self.wanted:
            slot = Remote(self._worker(), name, json.loads(options), is_given)
        else:
            slot = Local(name, json.loads(options), self.given if is_given else None)
            slot.use(_arrays(slot.sizes))
            self.locals.append(slot)
        slot.pending, slot.step_pending, slot.release = self.pending, self.step, lambda: free.append(slot)
        return slot

    def _worker(self):
        if len(self.workers) < self.wanted:
            self.workers.append(Worker(self.given, self.timeout))
        worker = min(self.workers, key=lambda worker: worker.slots)
        worker.slots += 1
        return worker

    def step(self):
        """Takes the step of all environments that are pending."""
        with self.lock:
            pending = self.pending.copy()
            self.pending.clear()
            if not self.wanted:
                for slot in pending:
                    slot.run()
                    if slot.notes:
                        warnings.warn(slot.notes.pop(), stacklevel=2)
                return
            of = {}
            for slot in pending:
                of.setdefault(slot.worker, []).append(slot)
            # Every worker begins before one is waited for.
            ended = {}
            for worker, slots in of.items():
                try:
                    worker.send(("step", [slot.number for slot in slots]))
                except Error as e:
                    ended[worker] = str(e)
            for worker, slots in of.items():
                notes = []
                try:
                    if worker not in ended:
                        _, errors, notes = worker.receive()
                except Error as e:
                    ended[worker] = str(e)
                if worker in ended:
                    errors = {slot.number: (True, ended[worker]) for slot in slots}
                for note in notes:
                    warnings.warn(note, stacklevel=2)
                for slot in slots:
                    if slot.number in errors:
                        slot.fail(*errors[slot.number])

    def close(self):
        """Closes every environment, and ends every worker."""
        for slot in self.locals:
            try:
                slot.close()
            except Exception as e:
                warnings.warn(f"{slot.name}: its `close` failed ({_words(e)})", stacklevel=2)
        for worker in self.workers:
            worker.close()
        self.locals, self.workers, self.free = [], [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
