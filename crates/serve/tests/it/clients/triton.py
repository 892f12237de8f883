"""tritonclient against a server of the iris package: HTTP, GRPC."""
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

rows = np.array([[5, 3.5, 1, 0.5], [5, 3.5, 8, 4]], dtype=np.float32)
expected = [[0.875, 0, 0.125], [0, 0, 1]]


def judge(answer):
    assert np.allclose(answer.as_numpy("probabilities"), expected)
    # Texts that came as JSON are str, those that came as bytes are bytes.
    labels = [x.decode() if isinstance(x, bytes) else x for x in answer.as_numpy("label")]
    assert labels == ["setosa", "virginica"], labels


def about(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("iris")


def refused(ask, said):
    try:
        ask()
    except InferenceServerException as error:
        assert said in error.message(), error
    else:
        raise AssertionError(f"nothing was refused where {said!r} was expected")


over_http = http.InferenceServerClient(sys.argv[1])
about(over_http)
assert over_http.get_model_metadata("iris")["name"] == "iris"
assert "binary_tensor_data" in over_http.get_server_metadata()["extensions"]
assert over_http.get_model_repository_index()[0]["state"] == "READY"
for binary_in in (False, True):
    for binary_out in (False, True):
        for packing in (None, "gzip", "deflate"):
            tensor = http.InferInput("columns", [2, 4], "FP32")
            tensor.set_data_from_numpy(rows, binary_data=binary_in)
            wanted = [
                http.InferRequestedOutput(name, binary_data=binary_out)
                for name in ("probabilities", "label")
            ]
            answer = over_http.infer(
                "iris",
                [tensor],
                outputs=wanted,
                request_id="r1",
                request_compression_algorithm=packing,
                response_compression_algorithm=packing,
            )
            assert answer.get_response()["id"] == "r1"
            judge(answer)
many = np.tile(rows, (2000, 1))
tensor = http.InferInput("columns", list(many.shape), "FP32")
tensor.set_data_from_numpy(many)
answer = over_http.infer("iris", [tensor], response_compression_algorithm="gzip")
assert answer.as_numpy("probabilities").shape == (4000, 3)
# Requests at once on several connections.
several = http.InferenceServerClient(sys.argv[1], concurrency=4)
tensor = http.InferInput("columns", [2, 4], "FP32").set_data_from_numpy(rows)
for waiting in [several.async_infer("iris", [tensor]) for _ in range(32)]:
    judge(waiting.get_result())

assert not over_http.is_model_ready("rose")

over_grpc = grpc.InferenceServerClient(sys.argv[2])
about(over_grpc)
refused(lambda: over_grpc.is_model_ready("rose"), 'no model "rose"')
assert over_grpc.get_model_metadata("iris").name == "iris"
assert over_grpc.get_model_repository_index().models[0].name == "iris"
tensor = grpc.InferInput("columns", [2, 4], "FP32")
tensor.set_data_from_numpy(rows)
judge(over_grpc.infer("iris", [tensor]))
judge(over_grpc.infer("iris", [tensor], compression_algorithm="gzip"))

for client, kind in ((over_http, http), (over_grpc, grpc)):
    short = kind.InferInput("columns", [1, 3], "FP32")
    short.set_data_from_numpy(rows[:1, :3])
    refused(lambda: client.infer("iris", [short]), "the model takes 4")
    refused(lambda: client.infer("rose", [short]), 'no model "rose"')

print("triton: all answers are right")
