"""Seldon's own client against a server of the iris package: HTTP, GRPC."""
import sys

import numpy as np
from seldon_core.seldon_client import SeldonClient

http, grpc = sys.argv[1:]
rows = np.array([[5, 3.5, 1, 0.5], [5, 3.5, 8, 4]])
names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
expected = [[0.875, 0, 0.125], [0, 0, 1]]


def client(transport):
    return SeldonClient(
        transport=transport, microservice_endpoint={"rest": http, "grpc": grpc}[transport]
    )


for transport in ("rest", "grpc"):
    for payload in ("tensor", "ndarray"):
        answer = client(transport).microservice(
            data=rows, payload_type=payload, names=names, method="predict"
        )
        assert answer.success, answer.msg
        data = answer.response.data
        assert list(data.names) == ["setosa", "versicolor", "virginica"], data
        values = data.tensor.values if payload == "tensor" else [list(x) for x in data.ndarray]
        assert np.allclose(np.reshape(list(values), (2, 3)), expected), values
        for method in ("transform-input", "transform-output"):
            answer = client(transport).microservice(
                data=rows, payload_type=payload, method=method
            )
            assert answer.success, answer.msg
        feedback = client(transport).microservice_feedback(
            prediction_request=answer.request, prediction_response=answer.response, reward=0.5
        )
        assert feedback.success, feedback.msg
    short = client(transport).microservice(data=rows[:, :3], method="predict")
    assert not short.success

print("seldon: all answers are right")
