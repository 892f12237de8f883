"""Checks an ONNX file, and that ONNX Runtime gives the wanted outputs.

Usage: onnxruntime.py MODEL CASE, where CASE is a JSON file with the input's
`shape` and `columns` (null is NaN), the `output`'s name, and the `outputs`.
"""

import json
import pathlib
import sys

# The folder of this script holds a module of the same name as the package.
sys.path.pop(0)

import numpy
import onnx
import onnxruntime

path, case = sys.argv[1:]
case = json.loads(pathlib.Path(case).read_text())
onnx.checker.check_model(path, full_check=True)
session = onnxruntime.InferenceSession(path)
columns = [float("nan") if value is None else value for value in case["columns"]]
columns = numpy.array(columns, numpy.float32).reshape(case["shape"])
(outputs,) = session.run([case["output"]], {"columns": columns})
numpy.testing.assert_allclose(outputs, numpy.array(case["outputs"]), rtol=1e-5, atol=1e-6)
