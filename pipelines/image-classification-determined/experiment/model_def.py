"""A picture classifier as a PyTorchTrial, with its graph in every checkpoint."""

import pathlib

import determined.pytorch as det
import torch
import torchvision
from torchvision import transforms

from data import fetch
from export import export

# As `serve` prepares pictures where a checkpoint's model.json says nothing else.
NORMALISE = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class Export(det.PyTorchCallback):
    """Runs in the chief process, before the checkpoint is uploaded."""

    def __init__(self, trial):
        self.trial = trial

    def on_checkpoint_write_end(self, checkpoint_dir):
        trial = self.trial
        export(trial.net, checkpoint_dir, trial.labels, trial.side)


class PictureTrial(det.PyTorchTrial):
    def __init__(self, context):
        self.context = context
        self.side = context.get_hparam("side")
        folder = pathlib.Path("/tmp/pictures")
        fetch(context.get_data_config(), folder)
        prepare = transforms.Compose(
            [
                transforms.Resize((self.side, self.side), antialias=True),
                transforms.ToTensor(),
                NORMALISE,
            ]
        )
        pictures = torchvision.datasets.ImageFolder(str(folder), prepare)
        self.labels = pictures.classes
        held_out = max(1, len(pictures) // 5)
        self.training, self.validation = torch.utils.data.random_split(
            pictures,
            [len(pictures) - held_out, held_out],
            torch.Generator().manual_seed(0),
        )
        self.net = torchvision.models.mobilenet_v3_small(num_classes=len(self.labels))
        self.model = context.wrap_model(self.net)
        self.optimizer = context.wrap_optimizer(
            torch.optim.Adam(
                self.model.parameters(), context.get_hparam("learning_rate")
            )
        )

    def build_callbacks(self):
        return {"export": Export(self)}

    def build_training_data_loader(self):
        size = self.context.get_per_slot_batch_size()
        return det.DataLoader(self.training, batch_size=size, shuffle=True)

    def build_validation_data_loader(self):
        size = self.context.get_per_slot_batch_size()
        return det.DataLoader(self.validation, batch_size=size)

    def train_batch(self, batch, epoch_idx, batch_idx):
        pictures, classes = batch
        loss = torch.nn.functional.cross_entropy(self.model(pictures), classes)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss}

    def evaluate_batch(self, batch):
        pictures, classes = batch
        right = self.model(pictures).argmax(1) == classes
        return {"accuracy": right.float().mean()}
