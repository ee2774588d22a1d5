#!/usr/bin/env python3
"""Draws returns and successes of runs on the point-mass tasks, and prints a table in Markdown:
`memory_tasks.py FIGURE.svg rs=0.43 bptt:5=0.71 ... -- RUN...`, where the numbers are milliseconds of CPU time of a step,
by which steps become minutes. A line is the mean of the seeds, and a dot a seed. The actions of these evaluations are
drawn. Python 3.11 or newer; nothing else is needed."""
import csv
import sys
import tomllib
from pathlib import Path

COLOURS = {"rs": "#0072b2", "rs:8": "#56b4e9", "bptt:5": "#009e73", "bptt:10": "#d55e00", "vanilla": "#8a8a8a", "oracle": "#cc79a7"}
TASKS = {"PointMass-v2": "v2", "PointMass-v3": "v3", "PointMassDoor-v1": "doors"}
WIDE, HIGH, LEFT, TOP, GAP = 250, 150, 62, 64, 46


def read(run):
    experiment = tomllib.loads((run / "experiment.toml").read_text())
    with open(run / "eval.csv", newline="") as file:
        rows = [{key: float(cell or "nan") for key, cell in row.items()} for row in csv.DictReader(file)]
    return experiment["env"]["name"], experiment["estimator"], experiment["seed"], rows


def main(figure, arguments):
    cut = arguments.index("--")
    costs = {name: float(ms) for name, ms in (word.split("=") for word in arguments[:cut])}
    runs = {}
    for task, estimator, seed, rows in map(read, map(Path, arguments[cut + 1 :])):
        runs.setdefault((task, estimator), {})[seed] = rows

    print("| task | estimator | return, means | return, drawn | goal visited, drawn | minutes of one core |")
    print("|---|---|---|---|---|---|")
    for task, name in TASKS.items():
        for estimator, ms in costs.items():
            seeds = [rows[-1] for _, rows in sorted(runs.get((task, estimator), {}).items())]
            if seeds:
                cells = [", ".join(f"{row[key]:.{digits}f}" for row in seeds) for key, digits in (
                    ("eval/mean_reward", 0), ("eval_stochastic/mean_reward", 0), ("eval_stochastic/success", 1))]
                minutes = ms * seeds[0]["time/total_timesteps"] / 60_000
                cells = " | ".join([*cells, f"{minutes:.1f}"]).replace("-0,", "0,").replace("-", "\u2212")
                print(f"| {name} | `{estimator}` | {cells} |")

    panels = [("eval_stochastic/mean_reward", "steps", "return"), ("eval_stochastic/success", "steps", "goal visited"),
              ("eval_stochastic/mean_reward", "minutes", "return")]
    width, height = LEFT + len(TASKS) * (WIDE + GAP), TOP + len(panels) * (HIGH + GAP)
    text = lambda x, y, words, size=11, anchor="middle", fill="#333333": (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">{words}</text>')
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="\'DejaVu Sans\', Verdana, sans-serif">', f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for k, estimator in enumerate(costs):
        x = LEFT + 96 * k
        parts.append(f'<line x1="{x}" x2="{x + 18}" y1="20" y2="20" stroke="{COLOURS[estimator]}" stroke-width="3"/>')
        parts.append(text(x + 24, 24, estimator, 12, "start"))
    for j, (column, axis, label) in enumerate(panels):
        for i, (task, name) in enumerate(TASKS.items()):
            left, top = LEFT + i * (WIDE + GAP), TOP + j * (HIGH + GAP)
            lines = {e: runs[task, e] for e in costs if (task, e) in runs}
            scale = {e: costs[e] / 60_000 if axis == "minutes" else 1e-3 for e in lines}
            most = max(r["time/total_timesteps"] * scale[e] for e, seeds in lines.items() for rows in seeds.values() for r in rows)
            if axis == "minutes":
                most = min(most, 100_000 * costs["bptt:5"] / 60_000 * 1.3)
            top_value = max(r[column] for seeds in lines.values() for rows in seeds.values() for r in rows) * 1.05
            top_value = 1.0 if "success" in column else top_value
            at = lambda x, y: (left + WIDE * x / most, top + HIGH * (1 - max(y, 0.0) / top_value))
            parts.append(f'<rect x="{left}" y="{top}" width="{WIDE}" height="{HIGH}" fill="none" stroke="#d9d9d9"/>')
            parts.append(text(left + WIDE / 2, top - 8, f"{name}: {label} against {'thousand steps' if axis == 'steps' else 'minutes of one core'}"))
            parts += [text(left - 6, top + 10, f"{top_value:.0f}", 10, "end"), text(left - 6, top + HIGH, "0", 10, "end")]
            parts += [text(left + WIDE, top + HIGH + 14, f"{most:.3g}", 10, "end"), text(left, top + HIGH + 14, "0", 10, "start")]
            for estimator, seeds in lines.items():
                mean = []
                for rows in zip(*seeds.values()):
                    x = rows[0]["time/total_timesteps"] * scale[estimator]
                    if x <= most:
                        mean.append(at(x, sum(r[column] for r in rows) / len(rows)))
                        parts += [f'<circle cx="{at(x, r[column])[0]:.1f}" cy="{at(x, r[column])[1]:.1f}" r="1.8" fill="{COLOURS[estimator]}" opacity="0.55"/>' for r in rows]
                points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mean)
                parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[estimator]}" stroke-width="2"/>')
    Path(figure).write_text("\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
