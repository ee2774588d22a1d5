"""Environments of Gymnasium that do what they should not, and two that are in order."""

import os
import signal
import time

import gymnasium
import numpy as np
from gymnasium import spaces


class Line(gymnasium.Env):
    """A point on a line is to be held at 0. `fault` says what goes wrong, at step `at` of every episode."""

    def __init__(self, fault="", at=3, length=20, size=2):
        self.fault, self.at, self.length = fault, at, length
        bound = 1.0 if fault == "out of space" else np.inf
        self.observation_space = spaces.Box(-bound, bound, (size,), np.float64)
        self.action_space = spaces.Discrete(3) if fault == "discrete" else spaces.Box(-1, 1, (1,), np.float32)
        self.resets, self.size = 0, size

    def _observation(self):
        o = np.zeros(self.size)
        o[:2] = self.x, self.t / self.length
        return o

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        if self.fault == "slow reset":
            time.sleep(0.2)
        if self.fault == "space that changes" and self.resets > 1:
            self.observation_space = spaces.Box(-np.inf, np.inf, (5,), np.float64)
        if self.fault == "old reset":
            return np.zeros(2)
        self.t, self.x = 0, self.np_random.uniform(-0.5, 0.5)
        return self._observation(), {}

    def step(self, action):
        self.t += 1
        self.x = float(np.clip(self.x + 0.1 * action[0], -0.9, 0.9))
        o, r = self._observation(), -abs(self.x)
        if self.t == self.at:
            match self.fault:
                case "shape":
                    o = np.zeros(7)
                case "nan":
                    o[0] = np.nan
                case "nan reward":
                    r = np.nan
                case "exception":
                    raise ValueError("the wheel came off")
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "out of space":
                    o[0] = 7.0
                case "hangs":
                    time.sleep(1000)
                case "old step":
                    return o, r, False, {}
        ended = self.t >= self.length and self.fault != "never ending"
        return o, r, False, ended, {}


class Goal(Line):
    """The same, which ends at the goal; the policy does not see the place, the critic does."""

    def __init__(self, critic="privileged"):
        super().__init__()
        self.critic = critic
        inner = self.observation_space
        self.observation_space = spaces.Dict({"policy": spaces.Box(-1, 1, (1,), np.float32), critic: inner})

    def _observation(self):
        return {"policy": np.array([self.t / 20], np.float32), self.critic: super()._observation()}


def line(fault="", length=20, **options):
    env = Line(fault, length=length, **options)
    return env if fault in ("never ending", "old step") else gymnasium.wrappers.TimeLimit(env, length)


def goal(**options):
    return Goal(**options)


def vector(mode="NEXT_STEP", n=1):
    return gymnasium.vector.SyncVectorEnv([line] * n, autoreset_mode=gymnasium.vector.AutoresetMode[mode])


def nothing():
    return 3
