"""Pictures on a graph, with ONNX Runtime and Pillow, as people do it in Python."""

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


class Pictures:
    """NAME.onnx and the preprocessing that NAME.json says, in a folder that is a package
    or a backbone."""

    def __init__(self, folder, name, threads):
        self.wanted = json.loads(Path(folder, f"{name}.json").read_text())["preprocessing"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(Path(folder, f"{name}.onnx"), options)
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name

    def decoded(self, file):
        """What the graph takes of the bytes of a file, [1, 3, height, width]."""
        return self.prepared(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))

    def pixels(self, values):
        """The same of the numbers 0 to 255 in an array [height, width, 3]."""
        return self.prepared(Image.fromarray(np.asarray(values).astype(np.uint8)))

    def prepared(self, picture):
        wanted, picture = self.wanted, picture.convert("RGB")
        side = int(wanted["crop"] * min(picture.size))
        left, top = ((size - side + 1) // 2 for size in picture.size)
        size, box = (wanted["width"], wanted["height"]), (left, top, left + side, top + side)
        picture = picture.resize(size, FILTERS[wanted["resampling"]], box)
        mean, std = (np.array(wanted[key], np.float32) for key in ("mean", "std"))
        return ((np.asarray(picture, np.float32) - mean) / std).transpose(2, 0, 1)[None]

    def run(self, prepared):
        """The graph's first output."""
        return self.session.run([self.output], {self.input: prepared})[0]
