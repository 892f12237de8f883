"""Writes model.onnx, what `serve` runs, into a checkpoint."""

import json
import pathlib

import torch


def export(model, folder, labels, side, target="class"):
    """Writes the graph and its description below `folder`.

    The graph takes normalised pictures [batch, 3, side, side] and gives the
    probabilities [batch, classes] in the order of `labels`.
    """
    folder = pathlib.Path(folder)
    was_training = model.training
    # A softmax last: what is served are probabilities.
    served = torch.nn.Sequential(model, torch.nn.Softmax(dim=1)).eval()
    device = next(model.parameters()).device
    with torch.no_grad():
        torch.onnx.export(
            served,
            (torch.zeros(1, 3, side, side, device=device),),
            str(folder / "model.onnx"),
            opset_version=17,
            input_names=["input"],
            output_names=["probabilities"],
            dynamic_axes={"input": {0: "batch"}, "probabilities": {0: "batch"}},
            dynamo=False,
        )
    model.train(was_training)
    description = {"target": target, "labels": list(labels)}
    (folder / "model.json").write_text(json.dumps(description))
