"""Steps per second of the Python package beside sb3-contrib's RecurrentPPO, on the same environment of Gymnasium with the
same sizes of networks, rollout and minibatches, and as many epochs; and against the number of workers.

    python reference/python_speed.py [--cores N] [s2pg | sb3 | workers | waiting]
"""

import argparse
import os
import tempfile
import time
import warnings

EPOCHS, ROLLOUT, MINIBATCH, PARALLEL = 10, 2048, 64, 16


def s2pg_speed(env, steps, estimator="rs", workers=0, **changes):
    import s2pg

    marks = []

    def mark(progress):
        # The first rollout is not counted: it has the start of processes and the first episodes in it.
        if progress.steps % ROLLOUT == 0:
            marks.append((progress.steps, time.perf_counter()))

    config = {
        "algorithm": "ppo",
        "estimator": estimator,
        "steps": steps,
        "env": {"name": env, "parallel": PARALLEL},
        "network": {"cell": "lstm", "hidden": 64, "features": 64, "critic_features": 64},
        "ppo": {"steps": ROLLOUT, "minibatch": MINIBATCH, "epochs": EPOCHS, "value_epochs": EPOCHS},
        "evaluation": {"every": 0},
        **changes,
    }
    with tempfile.TemporaryDirectory() as dir, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = waiting if env == "waiting" else None
        s2pg.train(config, made, dir=os.path.join(dir, "run"), workers=workers, callback=mark)
    (first, t0), (last, t1) = marks[0], marks[-1]
    return (last - first) / (t1 - t0)


def waiting():
    """An environment whose step waits for a millisecond, as one does that asks another program."""
    import gymnasium

    class Waiting(gymnasium.Wrapper):
        def step(self, action):
            time.sleep(1e-3)
            return self.env.step(action)

    return Waiting(gymnasium.make("Pendulum-v1", disable_env_checker=True))


def sb3_speed(env, steps):
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    marks = []

    class Mark(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            marks.append((self.num_timesteps, time.perf_counter()))

        _on_training_end = _on_rollout_start

    model = RecurrentPPO(
        "MlpLstmPolicy",
        make_vec_env(env, PARALLEL, seed=0),
        n_steps=ROLLOUT // PARALLEL,
        batch_size=MINIBATCH,
        n_epochs=EPOCHS,
        policy_kwargs={"lstm_hidden_size": 64, "net_arch": [64, 64]},
        device="cpu",
    )
    model.learn(steps, callback=Mark())
    (first, t0), (last, t1) = marks[1], marks[-1]
    return (last - first) / (t1 - t0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("what", nargs="*", default=["s2pg", "sb3", "workers", "waiting"])
    arguments = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: arguments.cores]))
    os.environ["OMP_NUM_THREADS"] = str(arguments.cores)
    say = lambda what, speed: print(f"{arguments.cores} core(s)  {what:<44} {speed:>8.0f} steps/s", flush=True)
    if "s2pg" in arguments.what:
        for estimator in ("rs", "tbptt:16", "bptt:5"):
            say(f"s2pg PPO {estimator}, Pendulum-v1", s2pg_speed("gym:Pendulum-v1", 10 * ROLLOUT, estimator))
    if "sb3" in arguments.what:
        import torch

        torch.set_num_threads(arguments.cores)
        say("RecurrentPPO, Pendulum-v1", sb3_speed("Pendulum-v1", 2 * ROLLOUT))
    if "workers" in arguments.what:
        for env in ("Pendulum-v1", "HalfCheetah-v5"):
            for workers in (0, 1, 2):
                speed = s2pg_speed(f"gym:{env}", 8 * ROLLOUT, "rs", workers, standardise=True)
                say(f"s2pg PPO rs, {env}, {workers} workers", speed)
    if "waiting" in arguments.what:
        for workers in (0, 1, 2, 4):
            say(f"s2pg PPO rs, 1 ms a step, {workers} workers", s2pg_speed("waiting", 3 * ROLLOUT, "rs", workers))


if __name__ == "__main__":
    main()
