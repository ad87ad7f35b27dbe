"""The LightningModule for any network: training step, loss, accuracy, optimizers and schedules."""

import math
from typing import Any, cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from emotion_detection.config import TrainConfig
from emotion_detection.training.batches import Batch
from emotion_detection.training.losses import (
    Losses,
    Teachers,
    Weights,
    compute_face_losses,
    sum_losses,
)
from emotion_detection.training.network import ModelSpec, Outputs, scale_to_unit, take_apart


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Create the optimizer of a network's trained parameters.

    Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019; SGD with Nesterov's momentum.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": trained}]
    if config.weight_decay:
        # biases and norms are few and must be free to take any size
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.learning_rate, weight_decay=0.0)


def compute_learning_rate_factor(config: TrainConfig, step: int, steps: int) -> float:
    """Return a step's learning rate as a fraction of the peak.

    Args:
        config: schedule and warm-up.
        step: number of the step, from 0.
        steps: number of all steps.
    """
    rising = config.warmup * steps
    if step + 1 < rising:
        return (step + 1) / rising
    if config.schedule == "constant":
        return 1.0
    done = min(1.0, max(0.0, step - rising) / max(1.0, steps - rising))
    return 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int) -> LambdaLR:
    """Create the schedule, with one value per step."""
    return LambdaLR(optimizer, lambda step: compute_learning_rate_factor(config, step, steps))


CHECKPOINT_KEY = "emotion_detection"

SHOWN_FACES = 64
"""Augmented faces that are kept to be shown, at most."""


class EmotionTask(LightningModule):
    """Train a network to classify the emotion of a face, and its intensity, by cross-entropy.

    Args:
        network: float32 (N, C, H, W) from 0 to 1 -> float32 (N, spec.outputs).
        spec: what the network declares of itself.
        config: the recipe.
        augmentation: float32 (N, C, H, W) -> the same, or None.
        corruption: likewise, applied after it; teachers see the faces without it.
        record: plain values that go into each checkpoint (config, data, version).
        weights: of the classes of each label set, or None.
        teachers: whose scores are learnt too, or None.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        config: TrainConfig,
        augmentation: nn.Module | None = None,
        record: dict[str, Any] | None = None,
        weights: Weights | None = None,
        teachers: Teachers | None = None,
        corruption: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.augmentation, self.corruption = augmentation, corruption
        self.spec, self.config = spec, config
        self.record = record or {}
        self.weights, self.teachers = weights, teachers
        if config.frozen:
            self.network.requires_grad_(False)
            self._head().requires_grad_(True)
        classes = len(spec.labels)
        # "micro": the fraction of correct predictions over all faces
        self.val_loss = MeanMetric()
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")
        self.val_confusion = MulticlassConfusionMatrix(classes)
        # for LogImages: float32 (N, C, H, W) of the first batch, int64 (classes, classes)
        self.first_faces: Tensor | None = None
        self.confusion: Tensor | None = None
        self.val_also = nn.ModuleDict(
            {
                name: MulticlassAccuracy(len(labels), average="micro", ignore_index=-1)
                for name, labels in spec.also.items()
            }
        )
        # summed loss, correct predictions, faces, faces with a label of the first set; metric
        # objects would cost a tenth of a small step
        self._train_sums = torch.zeros(4)

    def _head(self) -> nn.Module:
        return self.network.get_submodule("head")

    def forward(self, faces: Tensor) -> Tensor:
        """Return float32 (N, spec.outputs) for uint8 faces (N, C, H, W)."""
        outputs: Tensor = self.network(scale_to_unit(faces))
        return outputs

    def _shared_step(self, faces: Tensor) -> Outputs:
        """Return the outputs for float32 faces (N, C, H, W) from 0 to 1, taken apart."""
        # the network may be of half precision ('--trainer.precision bf16-true'); figures are not
        return take_apart(self.spec, self.network(faces.to(self.dtype)).float())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of this process's part of a batch."""
        faces = scale_to_unit(batch.images)
        if self.augmentation is not None:
            faces = self.augmentation(faces)
        # a teacher's scores of an unrecognizable face are not worth learning
        clean = faces
        if self.corruption is not None:
            faces = self.corruption(faces)
        if batch_idx == 0 and self.current_epoch == 0:
            self.first_faces = faces[:SHOWN_FACES].detach().float().cpu()
        if self.config.mixup:
            costs, outputs, clean = self._mixed(faces, clean, batch)
        else:
            outputs = self._shared_step(faces)
            costs = compute_face_losses(self.spec, self.config, outputs, batch, self.weights)
        # a mixture of two faces is shown to the teachers as it is
        taught = self.teachers.losses(self.spec, outputs, clean) if self.teachers else None
        total = sum_losses(self.spec, self.config, costs, taught).sum()
        self._count(outputs, batch, total)
        return total * batch.weight

    def _mixed(self, faces: Tensor, clean: Tensor, batch: Batch) -> tuple[Losses, Outputs, Tensor]:
        """Mix each face with another one (Zhang et al. 2018).

        Returns:
            The losses, the outputs, and the clean faces mixed in the same way.
        """
        alpha = torch.tensor(self.config.mixup, device=faces.device, dtype=torch.float32)
        share = torch.distributions.Beta(alpha, alpha).sample((len(faces),))
        share = torch.maximum(share, 1 - share)  # the first of the two is the one that is counted
        order = torch.randperm(len(faces), device=faces.device)
        part = share[:, None, None, None]
        mixed = part * faces + (1 - part) * faces[order]
        outputs = self._shared_step(mixed)
        if clean is not faces:
            mixed = part * clean + (1 - part) * clean[order]

        one, other = (
            compute_face_losses(self.spec, self.config, outputs, labelled, self.weights)
            for labelled in (batch, batch.permuted(order))
        )
        costs = {name: share * one[name] + (1 - share) * other[name] for name in one}
        return costs, outputs, mixed

    def _count(self, outputs: Outputs, batch: Batch, total: Tensor) -> None:
        """Add a batch to the epoch's loss and accuracy (of the first label set)."""
        logits = outputs.logits[self.spec.label_set].detach()
        known = batch.labels >= 0
        right = ((logits.argmax(1) == batch.labels) & known).sum()
        count = torch.tensor(len(batch.labels), device=total.device)
        self._train_sums += torch.stack([total.detach(), right, count, known.sum()])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the validation metrics: the plain cross-entropy of the first label set."""
        if not len(batch.labels):  # of several processes some may have no rows of a last batch
            return
        outputs = self._shared_step(scale_to_unit(batch.images))
        for name, metric in self.val_also.items():
            cast(MulticlassAccuracy, metric).update(outputs.logits[name], batch.also[name])
        known = batch.labels >= 0
        count = int(known.sum())
        if count:
            logits, labels = outputs.logits[self.spec.label_set][known], batch.labels[known]
            target = labels if batch.targets is None else batch.targets[known]
            self.val_loss.update(functional.cross_entropy(logits, target), weight=count)
            self.val_accuracy.update(logits, labels)
            self.val_confusion.update(logits, labels)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed this step, so that a resumed run uses the same random numbers.

        Lightning's checkpoints do not hold the random state, so each step's comes from its place.
        """
        place = (self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        seed = int(np.random.SeedSequence(place).generate_state(1)[0])
        if self.device.type == "cpu":
            # the same stream as manual_seed's, which looks for every kind of device each time
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_train_start(self) -> None:
        """Move the teachers, and the sums of a resumed run, to the device."""
        if self.teachers is not None:
            self.teachers.to(self.device)
        # float64, where there is any, so that many small numbers add up
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        self._train_sums = self._train_sums.to(self.device, kind)

    def on_train_epoch_start(self) -> None:
        """Reset the epoch's metrics; frozen batch norms must not update statistics either."""
        if self.config.frozen:
            self.network.eval()
            self._head().train()
        self._train_sums = torch.zeros_like(self._train_sums)

    def on_validation_epoch_start(self) -> None:
        """Reset the validation metrics."""
        self.val_loss.reset()
        self.val_accuracy.reset()
        self.val_confusion.reset()
        for metric in self.val_also.values():
            cast(MulticlassAccuracy, metric).reset()

    def on_validation_epoch_end(self) -> None:
        """Log validation loss and accuracy over all faces, each counted once."""
        self.confusion = self.val_confusion.compute().cpu()
        by = {self.spec.label_set: self.val_accuracy.compute()}
        by |= {n: cast(MulticlassAccuracy, metric).compute() for n, metric in self.val_also.items()}
        # metric of the best checkpoint: with several label sets, the mean over them
        values = {"val_loss": self.val_loss.compute(), "val_accuracy": sum(by.values()) / len(by)}
        if len(by) > 1:
            values |= {f"val_accuracy_{name}": accuracy for name, accuracy in by.items()}
        self.log_dict(values)

    def on_train_epoch_end(self) -> None:
        """Log the learning rate, and training loss and accuracy as they were while training."""
        loss, right, count, known = self._all_train_sums()
        self.log_dict(
            {
                "train_loss": (loss / count).float(),
                "train_accuracy": (right / known).float(),
                "learning_rate": float(self.trainer.optimizers[0].param_groups[0]["lr"]),
            }
        )

    def _all_train_sums(self) -> Tensor:
        """Return the sums over all processes."""
        whole = self.trainer.strategy.reduce(self._train_sums.clone(), reduce_op="sum")
        assert isinstance(whole, Tensor)
        return whole

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and the schedule where there is one."""
        optimizer = make_optimizer(self.network, self.config)
        if self.config.schedule == "constant" and not self.config.warmup:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(optimizer, self.config, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's specification, and the metrics of an unfinished epoch."""
        checkpoint[CHECKPOINT_KEY] = {
            "spec": self.spec.as_dict(),
            "record": self.record,
            "train_sums": self._all_train_sums().cpu(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the metrics of an unfinished epoch; a new epoch resets them."""
        if self.global_rank == 0:  # the sums are of all processes
            self._train_sums = checkpoint[CHECKPOINT_KEY]["train_sums"]
