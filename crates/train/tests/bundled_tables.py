"""Writes the five tables that scikit-learn bundles, each parted as its own models
are, and how those do: FOLDER/NAME/{train,test}.csv and figures.json."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def write(path, columns, target):
    names = [f"c{i}" for i in range(columns.shape[1])]
    lines = [",".join([*names, "target"])]
    for row, value in zip(columns, target):
        # As 32-bit numbers, which is what the models are served with.
        lines.append(",".join([*(repr(float(np.float32(v))) for v in row), value]))
    path.write_text("\n".join(lines) + "\n")


def main(folder):
    for name in ["iris", "wine", "breast_cancer", "digits", "diabetes"]:
        columns, target = getattr(datasets, f"load_{name}")(return_X_y=True)
        regression = name == "diabetes"
        seen, unseen, learned, right = train_test_split(
            columns, target, test_size=0.3, random_state=0,
            stratify=None if regression else target,
        )
        boosted, linear = (
            (HistGradientBoostingRegressor(random_state=0), Ridge())
            if regression
            else (HistGradientBoostingClassifier(random_state=0), LogisticRegression(max_iter=1000))
        )
        figures = {}
        for key, model in [("boosted", boosted), ("linear", linear)]:
            begin = time.perf_counter()
            model = make_pipeline(StandardScaler(), model).fit(seen, learned)
            figures[f"{key}_seconds"] = time.perf_counter() - begin
            # Accuracy of a classifier, R2 of a regressor.
            figures[key] = model.score(unseen, right)
        place = Path(folder) / name
        place.mkdir(parents=True, exist_ok=True)
        label = (lambda v: repr(float(v))) if regression else (lambda v: f"k{v}")
        write(place / "train.csv", seen, [label(v) for v in learned])
        write(place / "test.csv", unseen, [label(v) for v in right])
        (place / "figures.json").write_text(json.dumps(figures))


main(sys.argv[1])
