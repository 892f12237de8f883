"""embed.py BACKBONE FOLDER THREADS: how long decoding and embedding a folder of pictures
takes in Python, in seconds. The module `pictures` is beside the peers of serve."""

import json
import sys
import time
from pathlib import Path

from pictures import Pictures

KINDS = {".jpg", ".jpeg", ".png", ".webp"}

backbone, folder, threads = sys.argv[1:]
paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in KINDS)
pictures = Pictures(backbone, "backbone", int(threads))
begin = time.perf_counter()
prepared = [pictures.decoded(path.read_bytes()) for path in paths]
between = time.perf_counter()
for one in prepared:
    pictures.run(one)
end = time.perf_counter()
figures = {"pictures": len(paths), "decoding": between - begin, "embedding": end - between}
print(json.dumps(figures))
