#!/usr/bin/env python3
"""Draws the table of the T-maze on a page of the book, which corridors were solved by estimator and seed, and prints it
with the results of further runs: `corridors.py FIGURE.svg PAGE.md [RUN...]`. A run solves its corridor with a last
deterministic evaluation of 0.9 or more. Python 3.11 or newer; nothing else is needed."""
import csv
import re
import sys
import tomllib
from pathlib import Path

COLOURS = {"rs": "#0072b2", "tbptt": "#d55e00", "bptt": "#009e73"}


def read(run):
    experiment = tomllib.loads((run / "experiment.toml").read_text())
    with open(run / "eval.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return experiment["estimator"], experiment["env"]["corridor"], experiment["seed"], float(last["eval/mean_reward"])


def table(page):
    """The cells of the table whose columns are corridors."""
    rows = [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in page.splitlines() if "|" in line]
    head = next(i for i, row in enumerate(rows) if row[-1].startswith("corridor "))
    for row in rows[head + 2 :]:
        if not re.fullmatch(r"(rs|t?bptt)(:\w+)?", row[0]) or len(row) != len(rows[head]):
            return
        for corridor, cell in zip(rows[head][1:], row[1:]):
            if cell != "not run":
                yield (row[0], int(corridor.split()[1])), dict(enumerate(map(float, cell.split(","))))


def order(estimator):
    kind, _, length = estimator.partition(":")
    return list(COLOURS).index(kind), float("inf") if length == "full" else int(length or 1)


def main(figure, page, runs):
    results = dict(table(Path(page).read_text()))
    for estimator, corridor, seed, reward in map(read, map(Path, runs)):
        results.setdefault((estimator, corridor), {})[seed] = reward
    estimators = sorted({e for e, _ in results}, key=order)
    corridors = sorted({c for _, c in results})

    print("| estimator | " + " | ".join(f"corridor {c}" for c in corridors) + " |")
    print("|---|" + "---|" * len(corridors))
    for e in estimators:
        cells = [", ".join(f"{r:.2f}" for _, r in sorted(results.get((e, c), {}).items())) or "not run" for c in corridors]
        print(f"| `{e}` | " + " | ".join(cells) + " |")

    left, top, wide, high = 110, 74, 150, 34
    width, height = left + wide * len(corridors) + 20, top + high * len(estimators) + 50
    text = lambda x, y, words, size=12, anchor="middle", fill="#333333": (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">{words}</text>')
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="\'DejaVu Sans\', Verdana, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text(left, 28, "T-maze: which corridors are solved, a dot for each seed", 16, "start"),
    ]
    for i, c in enumerate(corridors):
        parts.append(text(left + wide * (i + 0.5), top - 14, f"{c} steps", fill="#6e6e6e"))
    for j, e in enumerate(estimators):
        y = top + high * (j + 0.5)
        colour = COLOURS[e.partition(":")[0]]
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y + high / 2}" y2="{y + high / 2}" stroke="#e6e6e6"/>')
        parts.append(text(left - 12, y + 4, e, anchor="end"))
        for i, c in enumerate(corridors):
            seeds = sorted(results.get((e, c), {}).items())
            for k, (_, reward) in enumerate(seeds):
                x = left + wide * (i + 0.5) + 22 * (k - (len(seeds) - 1) / 2)
                fill = colour if reward >= 0.9 else "#ffffff"
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{fill}" stroke="{colour}" stroke-width="2"/>')
    note = "filled: the last deterministic evaluation is 0.9 or more (1 is right every time, 0 is chance); open: below"
    parts += [text(left, height - 18, note, 12, "start", "#6e6e6e"), "</svg>"]
    Path(figure).write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
