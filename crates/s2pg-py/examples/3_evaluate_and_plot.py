"""Evaluates a run in a loop of one's own, as one written for Stable-Baselines3 is, and plots what the policy remembers."""

import sys

import gymnasium
import numpy as np
import s2pg

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
run = s2pg.train("ppo-rs/pendulum", env="gym:Pendulum-v1", seed=1, steps=steps, dir="runs/gym-pendulum")
policy = s2pg.load(run)

env = gymnasium.make("Pendulum-v1")
observation, _ = env.reset(seed=0)
state, start, total, states = None, np.ones(1, bool), 0.0, []
while True:
    action, state = policy.predict(observation, state, start, deterministic=True)
    observation, reward, terminated, truncated, _ = env.step(action)
    start, total = np.array([terminated or truncated]), total + reward
    states.append(state[0][0, 0])
    if start[0]:
        break
print(f"return {total:.1f} in {len(states)} steps")

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError:
    print("the learning curve is in", run.curve, "- with matplotlib, the policy's states would be drawn as well")
else:
    figure, (above, below) = plt.subplots(2)
    above.plot(run.evaluations["time/total_timesteps"], run.evaluations["eval/mean_reward"])
    below.plot(np.array(states))
    figure.savefig("runs/states.png")
    print("runs/states.png")
