"""Trains an environment of one's own: a place to go to, which only the critic always sees, and the policy at the start."""

import sys

import gymnasium
import numpy as np
import s2pg
from gymnasium.spaces import Box, Dict


class Recall(gymnasium.Env):
    """The goal is shown in the first step; the reward of each step is the nearness of a point to it."""

    observation_space = Dict({"policy": Box(-2, 2, (2,), np.float32), "privileged": Box(-2, 2, (2,), np.float32)})
    action_space = Box(-1, 1, (1,), np.float32)

    def _views(self):
        cue = self.goal if self.t == 0 else 0.0
        return {
            "policy": np.array([self.x, cue], np.float32),
            "privileged": np.array([self.x, self.goal], np.float32),
        }

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.x, self.goal = 0, 0.0, self.np_random.choice([-1.0, 1.0])
        return self._views(), {}

    def step(self, action):
        self.t += 1
        self.x = float(np.clip(self.x + 0.3 * action[0], -2, 2))
        return self._views(), -abs(self.x - self.goal), False, False, {}


def make():
    return gymnasium.wrappers.TimeLimit(Recall(), 20)


if __name__ == "__main__":
    experiment = {
        "algorithm": "ppo",
        "estimator": "rs",
        "critic": "state",
        "steps": int(sys.argv[1]) if len(sys.argv) > 1 else 100_000,
        "env": {"parallel": 16},
        "network": {"features": 32, "critic_features": 32, "hidden": 16, "std": 0.5, "state_std": 0.1},
        "ppo": {"steps": 640, "minibatch": 64, "lr": 1e-3, "value_lr": 1e-3},
    }
    run = s2pg.train(experiment, env=make, workers=2, dir="runs/recall")
    print(run.progress["rollout/ep_rew_mean"][-1])
    print(s2pg.evaluate(run, episodes=20))
