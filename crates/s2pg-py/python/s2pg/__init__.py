"""Policies with memory, trained in the time that others need for policies without.

    import s2pg

    run = s2pg.train("ppo-rs/pendulum", seed=1)             # a preset, or a dictionary of keys
    run = s2pg.train("ppo-rs/pendulum", env="gym:Pendulum-v1")
    policy = s2pg.load(run)
    actions, state = policy.predict(observation, state, episode_start, deterministic=True)

`train` runs an experiment in a directory, which holds all that it leaves behind and goes on where it was stopped; `load`
takes the policy from there, `evaluate` plays episodes with it, `report` compares runs, and `Run` reads their tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import _s2pg
from ._envs import Source
from ._s2pg import Error, Progress, __version__

__all__ = ["Error", "Evaluation", "Policy", "Progress", "Run", "__version__", "evaluate", "keys", "load", "presets", "report", "train"]


class Run:
    """The directory of a run: its tables as arrays, its policy, its curve.

    Attributes:
        dir: the directory.
        is_finished: whether all steps had been taken when `train` returned this run; None of a run that was opened.
    """

    def __init__(self, dir, is_finished=None, env=None):
        self.dir, self.is_finished, self._env = Path(dir), is_finished, env
        if not (self.dir / "experiment.toml").is_file():
            raise Error(f"{self.dir} is no run: there is no experiment.toml in it")

    def __fspath__(self):
        return os.fspath(self.dir)

    def __repr__(self):
        return f"s2pg.Run({str(self.dir)!r})"

    @property
    def progress(self):
        """progress.csv: a row for each update; a dictionary of arrays, by column."""
        return self._table("progress")

    @property
    def evaluations(self):
        """eval.csv: a row for each evaluation; a dictionary of arrays, by column."""
        return self._table("eval")

    @property
    def times(self):
        """time.csv: seconds of work at each row of `progress`."""
        return self._table("time")

    @property
    def experiment(self):
        """Every key of the experiment in dotted form, with its value as TOML text."""
        return keys(self.dir)

    @property
    def curve(self):
        """The path of the picture of the learning curve, which `train` draws at the end: curve.svg; curve.png is beside it."""
        return self.dir / "curve.svg"

    def policy(self, latest=False):
        """The policy of the best evaluation, or the latest one."""
        return load(self, latest=latest)

    def frame(self, table="progress"):
        """A table (`progress`, `eval` or `time`) as a data frame of pandas, which has to be installed."""
        import pandas

        return pandas.DataFrame(self._table(table))

    def _table(self, name):
        path = self.dir / f"{name}.csv"
        if not path.is_file():
            return {}
        lines = path.read_text().splitlines()
        if not lines:
            return {}
        names = lines[0].split(",")
        rows = [[float(cell) if cell else np.nan for cell in line.split(",")] for line in lines[1:]]
        # A row that is being written has fewer cells.
        columns = np.array([row for row in rows if len(row) == len(names)], dtype=np.float64).reshape(-1, len(names))
        return {name: columns[:, i] for i, name in enumerate(names)}


def train(
    experiment,
    env=None,
    *,
    seed=None,
    steps=None,
    overrides=None,
    dir=None,
    callback=None,
    workers=0,
    timeout=300.0,
    threads=None,
    restart=False,
):
    """Trains an experiment until all its steps are taken, and returns its `Run`.

    Ctrl-C stops at the next step with a checkpoint and raises KeyboardInterrupt; the same call goes on from there. A second
    one stops at once.

    Args:
        experiment: the name of a preset, a TOML file, the directory of a run to go on with, or a dictionary of keys, such
            as {"algorithm": "ppo", "estimator": "rs", "steps": 100_000, "env": {"name": "TMaze-v0"}}.
        env: in place of the experiment's environment, the name of another one: one of the project's, "gym:<id>" for one of
            Gymnasium, "python:<module>:<function>"; or a function that makes an environment of Gymnasium. The options of
            the experiment's environment are left out then, except `env.parallel`.
        seed, steps: the keys of these names.
        overrides: further keys, such as {"ppo.clip": 0.1, "env.parallel": 8}.
        dir: the directory of the run; by default one in runs/ whose name tells the experiment.
        callback: is called with a `Progress` after every step of all environments; False stops with a checkpoint.
        workers: how many processes the environments of Python live in; with 0 they live in this one. The results do not
            depend on it.
        timeout: seconds after which a worker process that does not answer is stopped.
        threads: how many threads compute; the results do not depend on it. By default all cores, at most 8.
        restart: whether to start over, and to remove what an earlier run of the experiment left in `dir`.

    Raises:
        Error: what went wrong, in one sentence. What the last checkpoint holds is kept.
    """
    what, changes, given, given_name, default = _resolve(experiment, env, seed, steps, overrides)
    stop = _s2pg.Stop()
    with Source(given, given_name, workers, timeout) as source, _stopped_by_ctrl_c(stop) as interrupts:
        try:
            dir, is_finished = _s2pg.train(
                what, changes, dir or default, source, stop, _warn, callback, threads, restart
            )
        except Error:
            if len(interrupts) > 1:
                raise KeyboardInterrupt from None
            raise
        if interrupts:
            raise KeyboardInterrupt(f"stopped with a checkpoint in {dir}")
    return Run(dir, is_finished, given)


def load(run, *, latest=False, env=None, workers=0):
    """Loads the policy that a run has learned: that of its best evaluation, or the latest.

    Args:
        run: a `Run`, or its directory.
        latest: whether to take the policy of the last checkpoint.
        env: the function that makes the environment, where the run was trained with one that no module holds.
        workers: how many processes the environments of `evaluate` live in.
    """
    env = env or getattr(run, "_env", None)
    return Policy(os.fspath(run), latest, env, workers)


class Evaluation:
    """Returns and lengths of the episodes of an evaluation.

    Attributes:
        returns: undiscounted returns, one for each episode.
        lengths: steps of each episode.
        unstable: whether each episode ended because the simulation became unstable.
        figures: means of the environment's own figures, by name.
    """

    def __init__(self, returns, lengths, unstable, figures):
        self.returns, self.lengths, self.unstable = np.array(returns), np.array(lengths), np.array(unstable)
        self.figures = dict(figures)

    @property
    def mean(self):
        """The mean return."""
        return float(np.mean(self.returns))

    @property
    def std(self):
        """The standard deviation of the return."""
        return float(np.std(self.returns))

    def __repr__(self):
        return f"Evaluation(mean={self.mean:.6g}, std={self.std:.6g}, episodes={len(self.returns)})"


class Policy:
    """A policy that a run has learned, which predicts as the recurrent policies of Stable-Baselines3 do.

    Attributes:
        observations: names of the entries of an observation.
        low, high: bounds of the entries of an action.
        env, algorithm, estimator: names of what it was trained in, by and with.
    """

    def __init__(self, dir, latest=False, env=None, workers=0):
        name = _name_of(env) if callable(env) else None
        # Makes environments only while it evaluates.
        self._source = Source(env, name, workers)
        with self._source:
            self._policy = _s2pg.Policy(dir, latest, self._source)
        self.observations = self._policy.o
        self.low, self.high = (np.array(bound, dtype=np.float32) for bound in self._policy.bounds)
        self.env, self.algorithm, self.estimator = self._policy.names
        self._sizes = self._policy.sizes

    def __repr__(self):
        return f"<s2pg.Policy of {self.algorithm} {self.estimator} on {self.env}>"

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Returns the actions for one observation or for a batch of them, and the memory for the next call.

        Args:
            observation: an observation, [entries], or a batch, [n, entries]; a dictionary is asked for its entry `policy`.
            state: what the call before returned; None where all episodes are at their start.
            episode_start: whether each episode is at its start, so that its memory is cleared, [n]; None where none is.
            deterministic: whether to return the means of the distribution in place of draws.

        Returns:
            Actions within their bounds, [n, entries], without the first axis where there was one observation; and a tuple
            of two arrays, [1, n, numbers]: the state of the policy, and the rest of its memory, which is its last action
            and the last observations where it sees a window.
        """
        if isinstance(observation, dict):
            observation = observation["policy"]
        o, size = np.asarray(observation, dtype=np.float32), len(self.observations)
        if o.ndim == 0 or o.size % size or (o.ndim == 1 and o.size != size) or (o.ndim > 1 and o[0].size != size):
            raise Error(
                f"the observation has the shape {o.shape}; this policy takes [{size}] or [n, {size}]: {_few(self.observations)}"
            )
        is_batch = o.ndim > 1
        o = np.ascontiguousarray(o.reshape(-1, size))
        n = len(o)
        memory = None
        if state is not None:
            memory = tuple(np.ascontiguousarray(x, dtype=np.float32) for x in state)
            shapes = [(1, n, size) for size in self._sizes]
            if [x.shape for x in memory] != shapes:
                raise Error(
                    f"the state has the shapes {[x.shape for x in memory]}, and for {n} observations it has {shapes}; give back "
                    "what the call before returned, or None at the start"
                )
            # A buffer cannot be empty.
            memory = tuple(x if x.size else np.zeros(1, np.float32)[:0] for x in memory)
        starts = np.zeros(n, bool) if episode_start is None else np.asarray(episode_start, dtype=bool).reshape(-1)
        if len(starts) != n:
            raise Error(f"`episode_start` has {len(starts)} entries, and there are {n} observations; give one each")
        numbers = self._policy.act(o, n, memory, starts.tolist(), bool(deterministic))
        a, *memory = (np.frombuffer(x, dtype=np.float32).copy() for x in numbers)
        a = np.clip(a.reshape(n, -1), self.low, self.high)
        memory = tuple(x.reshape(1, n, size) for x, size in zip(memory, self._sizes, strict=True))
        return (a if is_batch else a[0]), memory

    def set_random_seed(self, seed):
        """Begins the random numbers of the actions of `predict` anew."""
        self._policy.seed(seed)

    def evaluate(self, episodes=10, *, seed=0, deterministic=True, threads=None):
        """Plays whole episodes in the environment of the training, as `s2pg eval` does, and returns an `Evaluation`."""
        with self._source:
            return Evaluation(*self._policy.evaluate(episodes, seed, deterministic, threads))


def evaluate(run, episodes=10, *, seed=0, deterministic=True, latest=False, env=None, workers=0, threads=None):
    """Plays whole episodes with the policy of a run, or with a `Policy`; see `Policy.evaluate` and `load`."""
    policy = run if isinstance(run, Policy) else load(run, latest=latest, env=env, workers=workers)
    return policy.evaluate(episodes, seed=seed, deterministic=deterministic, threads=threads)


def report(runs, out="report", *, title=None):
    """Compares runs: writes report.svg, report.png and report.md into the directory `out`, and returns the table, which is
    Markdown. Runs that differ only in their seed are one curve."""
    runs = [runs] if isinstance(runs, (str, os.PathLike)) else list(runs)
    return _s2pg.report([os.fspath(run) for run in runs], os.fspath(out), title)[0]


def presets():
    """The name of every preset, with a line about it."""
    return dict(_s2pg.presets())


def keys(experiment, overrides=None):
    """Every key of an experiment (see `train`) in dotted form, with its value as TOML text."""
    what, changes, *_ = _resolve(experiment, None, None, None, overrides)
    return dict(_s2pg.keys(what, changes)[0])


# What an experiment says


def _resolve(experiment, env, seed, steps, overrides):
    """The name of the experiment or None, its overrides, the function that makes environments, its name, and the directory
    where the experiment has none of its own."""
    changes = {}
    if isinstance(experiment, Mapping):
        for key, value in experiment.items():
            changes.update({f"{key}.{name}": x for name, x in value.items()} if isinstance(value, dict) else {key: value})
        what = None
    else:
        what = os.fspath(experiment)
    changes.update(overrides or {})
    changes.update({key: value for key, value in (("seed", seed), ("steps", steps)) if value is not None})
    given = given_name = None
    if callable(env):
        given, given_name = env, _name_of(env)
        env = given_name
    if env is not None:
        if what is not None and not Path(what).is_dir():
            # Options of another environment mean nothing to this one.
            found, _ = _s2pg.keys(what, [_override(*pair) for pair in changes.items()])
            keys = {key: text for key, text in found if not key.startswith("env.") or key == "env.parallel"}
            default = _directory(keys, env)
            own = {key: value for key, value in changes.items() if key.startswith("env.")}
            texts = [f"{key}={text}" for key, text in keys.items() if key not in own]
            return None, [*texts, *(_override(*x) for x in own.items()), _override("env.name", env)], given, given_name, default
        changes["env.name"] = env
    default = None
    if what is None:
        default = _directory({key: _toml(value) for key, value in changes.items()}, changes.get("env.name", ""))
    return what, [_override(*pair) for pair in changes.items()], given, given_name, default


def _directory(keys, env):
    plain = "".join(c if c.isalnum() or c in "-." else "-" for c in env.removeprefix("python:"))
    words = [keys.get(key, "").strip('"').replace(":", "-") for key in ("algorithm", "estimator")]
    return str(Path("runs", "-".join([*words, plain, keys.get("seed", "0")])))


def _name_of(function):
    names = (getattr(function, key, type(function).__name__) for key in ("__module__", "__qualname__"))
    return "python:" + ":".join("".join(c if c.isalnum() or c in "_." else "-" for c in str(name)) for name in names)


def _override(key, value):
    return f"{key}={_toml(value)}"


def _toml(value):
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (str, os.PathLike)):
        return json.dumps(os.fspath(value), ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(x)}" for key, x in value.items()) + "}"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(_toml(x) for x in value) + "]"
    raise Error(f"{value!r} is no value of a key; write a number, a text, a truth value, or a list or dictionary of them")


def _few(names):
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _warn(text):
    warnings.warn(text, stacklevel=3)


@contextlib.contextmanager
def _stopped_by_ctrl_c(stop):
    """Lets Ctrl-C ask a training to stop; the list that is given tells how often it came. The second one is raised."""
    interrupts = []

    def handle(*_):
        interrupts.append(True)
        stop.ask()
        if len(interrupts) > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
