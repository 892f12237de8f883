# Determined runs this before the training, in the image of its environment.
pip install --quiet "python-pachyderm>=7,<8" onnx
