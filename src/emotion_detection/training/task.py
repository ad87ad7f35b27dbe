"""The LightningModule: one shared step; loss, accuracy, optimizer; nothing of the network."""

from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy

from emotion_detection.config import TrainConfig
from emotion_detection.training.batches import Batch
from emotion_detection.training.network import ModelSpec, to_unit

CHECKPOINT_KEY = "emotion_detection"


class EmotionTask(LightningModule):
    """Trains a network to name the emotion of a face, by cross entropy.

    Args:
        network: float32 (N, C, H, W) from 0 to 1 -> logits float32 (N, classes).
        spec: what the network declares of itself.
        config: the recipe.
        augmentation: float32 (N, C, H, W) -> the same, or None.
        record: plain values that go into each checkpoint (config, data, version).
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        config: TrainConfig,
        augmentation: nn.Module | None = None,
        record: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.augmentation = augmentation
        self.spec, self.config = spec, config
        self.record = record or {}
        classes = len(spec.labels)
        # "micro": the share of all faces that are right, which is what accuracy means here
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, faces: Tensor) -> Tensor:
        """Return logits float32 (N, classes) for uint8 faces (N, C, H, W)."""
        logits: Tensor = self.network(to_unit(faces))
        return logits

    def _shared_step(
        self, batch: Batch, faces: Tensor, loss: MeanMetric, accuracy: MulticlassAccuracy
    ) -> Tensor:
        # the network may be of half precision ('--trainer.precision bf16-true'); figures are not
        logits = self.network(faces.to(self.dtype)).float()
        target = batch.labels if batch.targets is None else batch.targets
        total = functional.cross_entropy(logits, target, reduction="sum")
        count = len(batch.labels)
        loss.update(total.detach() / count, weight=count)
        accuracy.update(logits.detach(), batch.labels)
        return total * batch.weight

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of this process's part of a batch."""
        faces = to_unit(batch.images)
        if self.augmentation is not None:
            faces = self.augmentation(faces)
        return self._shared_step(batch, faces, self.train_loss, self.train_accuracy)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the validation figures."""
        if len(batch.labels):  # of several processes some may have no rows of a small last batch
            self._shared_step(batch, to_unit(batch.images), self.val_loss, self.val_accuracy)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed this step: a resumed run must draw what the unbroken one drew.

        Lightning's checkpoints do not hold the random state, so each step's comes from its place.
        """
        place = (self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def on_train_epoch_start(self) -> None:
        """Start the epoch's figures."""
        self.train_loss.reset()
        self.train_accuracy.reset()

    def on_validation_epoch_start(self) -> None:
        """Start the validation's figures."""
        self.val_loss.reset()
        self.val_accuracy.reset()

    def on_validation_epoch_end(self) -> None:
        """Log validation loss and accuracy over all faces, each counted once."""
        values = {"val_loss": self.val_loss, "val_accuracy": self.val_accuracy}
        self.log_dict({name: metric.compute() for name, metric in values.items()})

    def on_train_epoch_end(self) -> None:
        """Log training loss and accuracy, as they were while training."""
        self.log_dict({name: metric.compute() for name, metric in self._train_metrics().items()})

    def _train_metrics(self) -> dict[str, Metric]:
        return {"train_loss": self.train_loss, "train_accuracy": self.train_accuracy}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam (Kingma and Ba 2015)."""
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a model says of itself, and an unfinished epoch's figures so far."""
        checkpoint[CHECKPOINT_KEY] = {
            "spec": self.spec.as_dict(),
            "record": self.record,
            "train_metrics": {k: _state(metric) for k, metric in self._train_metrics().items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the epoch's figures so far; a new epoch resets them."""
        for name, state in checkpoint[CHECKPOINT_KEY]["train_metrics"].items():
            metric = self._train_metrics()[name]
            for key, value in state.items():
                setattr(metric, key, value)
            metric._update_count = 1  # else torchmetrics warns that nothing was added


def _state(metric: Metric) -> dict[str, Tensor]:
    states = metric.metric_state.items()
    return {key: value.detach().cpu().clone() for key, value in states if isinstance(value, Tensor)}
