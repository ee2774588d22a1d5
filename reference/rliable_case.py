"""Records means, interquartile means, probabilities of improvement and a performance profile with rliable.

    pip install rliable 'pandas<3'
    python reference/rliable_case.py > crates/s2pg/tests/rliable.toml

The scores are those of two methods with 10 seeds on 5 tasks. Intervals are from 50,000 draws, and so known within about
a hundredth of their width; that of the probability of improvement, which is slow, is from 4,000. The package arch, on
which rliable stands, wants pandas below 3.
"""

import numpy as np
from rliable import library as rly
from rliable import metrics

DRAWS, FEWER_DRAWS = 50_000, 4_000


def main():
    rng = np.random.RandomState(7)
    tasks = np.array([0.2, 0.5, 0.9, 1.0, 0.4])
    x = np.round(tasks + 0.15 * rng.standard_normal((10, 5)) + 0.1, 4)
    y = np.round(tasks + 0.25 * rng.standard_normal((10, 5)) ** 3 * 0.5, 4)
    scores = {"x": x, "y": y}
    print("# Written by reference/rliable_case.py. A row of scores is a task.")
    for name, values in scores.items():
        print(f"{name} = {values.T.tolist()}")

    def tell(name, values, statistic, draws=DRAWS):
        point, interval = rly.get_interval_estimates(
            {name: values}, statistic, reps=draws, random_state=np.random.RandomState(1)
        )
        value = np.ravel(point[name])[0]
        low, high = np.ravel(interval[name])
        print(f"[{name}]\nvalue = {value!r}\nlow = {low!r}\nhigh = {high!r}".replace("np.float64(", "").replace(")", ""))

    profile, _ = rly.create_performance_profile({"x": x}, np.array([0.0, 0.3, 0.6, 0.9, 1.2]), reps=2)
    print("at = [0.0, 0.3, 0.6, 0.9, 1.2]")
    print(f"profile = {profile['x'].tolist()}")
    tell("mean_of_x", x, lambda s: np.array([metrics.aggregate_mean(s)]))
    tell("interquartile_mean_of_x", x, lambda s: np.array([metrics.aggregate_iqm(s)]))
    tell("interquartile_mean_of_y", y, lambda s: np.array([metrics.aggregate_iqm(s)]))
    tell("improvement_of_x_on_y", (x, y), lambda a, b: np.array([metrics.probability_of_improvement(a, b)]), FEWER_DRAWS)


if __name__ == "__main__":
    main()
