"""Trains the pendulum whose velocity is hidden, with memory and without, and compares the two."""

import sys

import s2pg

# A first argument makes it quick, for a look at what happens.
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 600_000


def show(progress):
    if progress.evaluation is not None:
        print(f"{progress.steps:>8} steps  evaluation {progress.evaluation:8.1f}")


runs = [
    s2pg.train("ppo-rs/pendulum", seed=1, steps=steps, overrides={"estimator": estimator}, dir=f"runs/{estimator}", callback=show)
    for estimator in ("rs", "vanilla")
]
print(s2pg.report(runs, "runs/report"))
print(s2pg.evaluate(runs[0], episodes=20))
