"""Embeds a folder of pictures with ONNX Runtime and Pillow, as people do it in Python:
embed.py BACKBONE FOLDER prints how long decoding and embedding took, in seconds."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def decoded(path, wanted):
    """The centre of the picture in the size that the backbone takes, [3, height, width]."""
    picture = Image.open(path).convert("RGB")
    side = int(wanted["crop"] * min(picture.size))
    left, top = ((size - side + 1) // 2 for size in picture.size)
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    size, resampling = (wanted["width"], wanted["height"]), filters[wanted["resampling"]]
    picture = picture.crop((left, top, left + side, top + side)).resize(size, resampling)
    mean, std = (np.array(wanted[key], np.float32) for key in ("mean", "std"))
    return ((np.asarray(picture, np.float32) - mean) / std).transpose(2, 0, 1)


def main(backbone, folder):
    description = json.loads((backbone / "backbone.json").read_text())
    session = onnxruntime.InferenceSession(backbone / "backbone.onnx")
    name = session.get_inputs()[0].name
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    begin = time.perf_counter()
    pictures = [decoded(path, description["preprocessing"]) for path in paths]
    between = time.perf_counter()
    for picture in pictures:
        session.run(None, {name: picture[None]})
    end = time.perf_counter()
    print(json.dumps({"pictures": len(paths), "decoding": between - begin, "embedding": end - between}))


main(Path(sys.argv[1]), Path(sys.argv[2]))
