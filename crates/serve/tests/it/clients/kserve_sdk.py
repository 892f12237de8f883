"""The KServe SDK's clients against a server of the iris package: REST, gRPC."""
import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

rows = np.array([[5, 3.5, 1, 0.5], [5, 3.5, 8, 4]], dtype=np.float32)
expected = [[0.875, 0, 0.125], [0, 0, 1]]


def request(binary):
    tensor = InferInput("columns", [2, 4], "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return InferRequest(model_name="iris", infer_inputs=[tensor], request_id="r1")


def judge(answer):
    assert answer.id == "r1", answer
    outputs = {output.name: output for output in answer.outputs}
    assert np.allclose(outputs["probabilities"].as_numpy(), expected)
    labels = [
        x.decode() if isinstance(x, bytes) else x for x in outputs["label"].as_numpy()
    ]
    assert labels == ["setosa", "virginica"], labels


async def over_rest(address):
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    base = f"http://{address}"
    assert await client.is_server_live(base)
    assert await client.is_server_ready(base)
    assert await client.is_model_ready(base, "iris")
    assert not await client.is_model_ready(base, "rose")
    for binary in (False, True):
        judge(await client.infer(base, request(binary), model_name="iris"))
    await client.close()


async def over_grpc(address):
    client = InferenceGRPCClient(address)
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("iris")
    for binary in (False, True):
        judge(await client.infer(request(binary)))
    await client.close()


asyncio.run(over_rest(sys.argv[1]))
asyncio.run(over_grpc(sys.argv[2]))
print("kserve: all answers are right")
