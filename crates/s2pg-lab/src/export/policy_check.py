"""Holds policy.onnx against the steps in vectors.csv: prints the largest difference of an action, as a number and in
units in the last place, and the time of a step. Run it beside the two files, with onnxruntime and numpy installed:

    python3 policy_check.py              # by onnxruntime
    python3 policy_check.py reference    # by the evaluator of the package onnx
"""

import csv
import sys
import time

import numpy as np


def session(runtime):
    """Returns the inputs with their shapes, the names of the outputs, and a function that runs the model."""
    if runtime == "reference":
        import onnx
        from onnx.reference import ReferenceEvaluator

        model = onnx.load("policy.onnx")
        onnx.checker.check_model(model, full_check=True)
        shape = lambda x: [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim]
        inputs = {x.name: shape(x) for x in model.graph.input}
        return inputs, [x.name for x in model.graph.output], ReferenceEvaluator(model).run
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession("policy.onnx", options, providers=["CPUExecutionProvider"])
    return {x.name: x.shape for x in model.get_inputs()}, [x.name for x in model.get_outputs()], model.run


def place(x):
    """Numbers of single precision in their order, as whole numbers."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(2**31) - bits, bits)


def main(runtime):
    inputs, outputs, run = session(runtime)
    # A batch whose size is open is tried with several rows.
    many = isinstance(inputs["obs"][-2], str)
    batch = 3 if many else 1
    zeros = {
        name: np.zeros(shape[:-2] + [batch] + shape[-1:], np.float32)
        for name, shape in inputs.items()
        if name.endswith("_in")
    }
    with open("vectors.csv", newline="") as file:
        header, *rows = csv.reader(file)
    rows = np.array(rows, np.float32)
    columns = lambda name: [i for i, x in enumerate(header) if x.startswith(name + "_")]
    repeated = lambda row, name: np.repeat(row[None, columns(name)], batch, 0)
    steps = []
    for row in rows:
        given = {name: repeated(row, name) for name in ("obs", "noise") if name in inputs}
        steps.append((row[0] > 0, given, repeated(row, "action")))

    largest, ulps, seconds, state = 0.0, 0, 0.0, zeros
    for reset, given, action in steps:
        given |= zeros if reset else state
        start = time.perf_counter()
        result = dict(zip(outputs, run(None, given)))
        seconds += time.perf_counter() - start
        state = {name: result[name[: -len("_in")] + "_out"] for name in zeros}
        difference = np.abs(result["actions"] - action).max()
        # A NaN differs from everything.
        largest = difference if not difference <= largest else largest
        ulps = max(ulps, int(np.abs(place(result["actions"]) - place(action)).max()))
    print(f"steps {len(steps)} largest {largest:.9g} ulps {ulps} microseconds {1e6 * seconds / len(steps):.4g}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "onnxruntime")
