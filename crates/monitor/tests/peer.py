"""Reference, outlier scores and drift of scipy, for the rows in a JSON file."""

import json
import sys

import numpy
from scipy import stats

case = json.load(open(sys.argv[1]))
reference = case["reference"]
trained, window = numpy.array(case["trained"]), numpy.array(case["window"])
answer = {"features": [], "scores": []}
for at, feature in enumerate(reference["features"]):
    values = feature["values"]
    ours, theirs = trained[:, at], window[:, at]
    if values["kind"] == "numeric":
        edges = numpy.array(values["bounds"], dtype=numpy.float32)
        bins = len(edges) + 1
        place = lambda column: numpy.searchsorted(edges, column.astype(numpy.float32), "left")
    else:
        bins = len(values["counts"])
        place = lambda column: column.astype(int)
    table = numpy.array([numpy.bincount(place(column), minlength=bins) for column in (ours, theirs)])
    table = table[:, table.sum(axis=0) > 0]
    found = stats.chi2_contingency(table, correction=False)
    answer["features"].append(
        {"statistic": found.statistic, "freedom": found.dof, "p_value": found.pvalue}
    )
for row in window:
    surprises = []
    for at, (value, feature) in enumerate(zip(row, reference["features"])):
        if feature["values"]["kind"] == "numeric":
            surprises.append(abs(value - trained[:, at].mean()) / trained[:, at].std())
        else:
            share = (numpy.sum(trained[:, at] == value) + 0.5) / (len(trained) + 1)
            surprises.append(stats.norm.isf(share / 2))
    answer["scores"].append(max(surprises))
print(json.dumps(answer))
