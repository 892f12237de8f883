"""Checks an ONNX file, and that ONNX Runtime gives the wanted outputs.

Usage: onnxruntime.py MODEL CASE, where CASE is a JSON file with `inputs` and the
wanted `outputs`, each with `name`, `shape` and `values` (null is NaN); an input
has its `type` besides.
"""

import json
import pathlib
import sys

# The folder of this script holds a module of the same name as the package.
sys.path.pop(0)

import numpy
import onnx
import onnxruntime


def array(tensor, kind):
    values = [float("nan") if value is None else value for value in tensor["values"]]
    return numpy.array(values, kind).reshape(tensor["shape"])


path, case = sys.argv[1:]
case = json.loads(pathlib.Path(case).read_text())
onnx.checker.check_model(path, full_check=True)
session = onnxruntime.InferenceSession(path)
inputs = {tensor["name"]: array(tensor, tensor["type"]) for tensor in case["inputs"]}
found = session.run([tensor["name"] for tensor in case["outputs"]], inputs)
for wanted, output in zip(case["outputs"], found, strict=True):
    numpy.testing.assert_allclose(output, array(wanted, "float32"), rtol=1e-5, atol=1e-5)
