"""Reads event files with TensorBoard's own reader and prints what it found.

    pip install tensorboard
    python reference/tensorboard.py runs/NAME [...]

Each argument is a run directory or one event file with `tfevents` in its name. The exit code is 1 where a file holds no event, or where bytes are
left over that the reader does not take.
"""

import sys
from pathlib import Path

sys.path.pop(0)  # This folder, where `tensorboard` would be this file.

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.util import tensor_util


def records_length(path):
    """Bytes of the file's readable records: 16 of framing each, and the message."""
    return sum(16 + len(record) for record in RawEventFileLoader(str(path)).Load())


def show(path):
    files = sorted(path.glob("*tfevents*")) if path.is_dir() else [path]
    size, read = sum(f.stat().st_size for f in files), sum(records_length(f) for f in files)
    events = event_accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    print(f"{path}: {read} of {size} bytes read")
    for tag in tags["scalars"]:
        rows = events.Scalars(tag)
        last = rows[-1]
        print(f"  {tag}: {len(rows)} numbers, steps {rows[0].step} to {last.step}, last {last.value} at {last.wall_time}")
    for tag in tags["tensors"]:
        for row in events.Tensors(tag):
            words = b"\n".join(tensor_util.make_ndarray(row.tensor_proto).ravel()).decode()
            print(f"  {tag} (text, step {row.step}): {words!r}")
    return 0 < size == read


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(0 if all([show(Path(name)) for name in sys.argv[1:]]) else 1)
