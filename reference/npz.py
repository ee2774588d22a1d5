"""Writes the archives that crates/s2pg/tests/npz.rs reads: numbers of all kinds, plain and packed, and what is refused.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install numpy==2.4.6
    /tmp/venv/bin/python reference/npz.py
"""

import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/s2pg/tests/golden/npz"
OUT.mkdir(exist_ok=True)
x = np.arange(6).reshape(2, 3)
arrays = {kind: (x - 2 if kind[0] in "if" else x).astype(kind) for kind in "f8 f4 i8 i4 i2 i1 u8 u4 u2 u1".split()}
arrays |= {"flags": x % 2 == 0, "columns": np.asfortranarray(x / 4), "one": np.float64(0.5), "row": x[0] / 8, "none": np.zeros((0, 3))}
np.savez(OUT / "plain.npz", **arrays)
np.savez_compressed(OUT / "packed.npz", **arrays)
np.savez(OUT / "objects.npz", q=np.array([{}, None], dtype=object))
np.savez(OUT / "fields.npz", q=np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]))
np.savez(OUT / "words.npz", q=np.array(["a", "b"]))
np.savez(OUT / "big_endian.npz", q=np.arange(3, dtype=">f8"))
np.savez(OUT / "cube_by_columns.npz", q=np.asfortranarray(np.zeros((2, 3, 4))))
np.savez_compressed(OUT / "bomb.npz", q=np.zeros(4_000_000))
