"""Loss terms: cross-entropy per label set, intensity, and distillation."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_detection.config import TrainConfig
from emotion_detection.data import Faces
from emotion_detection.labels import find_positions
from emotion_detection.training.batches import Batch
from emotion_detection.training.network import ModelSpec, Outputs, take_apart

Weights = dict[str, Tensor]
Losses = dict[str, Tensor]
INTENSITY = "intensity"


def compute_class_weights(faces: Faces, spec: ModelSpec, balance: float) -> Weights | None:
    """Return class weights for each label set, with a mean over the faces of 1.

    Args:
        faces: the training faces.
        spec: the model's label sets.
        balance: exponent: 0 gives None, 1 weights by the inverse of a class's number of faces.
    """
    if not balance:
        return None
    weights = {}
    for name, names in spec.label_sets.items():
        labels = faces.also.get(name, faces.labels)
        counts = np.bincount(labels[labels >= 0], minlength=len(names))
        raw = np.maximum(counts, 1) ** -balance
        mean: npt.NDArray[np.float64] = (raw * counts).sum() / counts.sum()
        weights[name] = torch.tensor(raw / mean, dtype=torch.float32)
    return weights


def compute_class_frequencies(faces: Faces, spec: ModelSpec) -> dict[str, list[float]]:
    """Return the class frequencies of each label set in the training faces.

    Where targets are distributions, their mean; one face is added to each class, so that none has
    frequency 0.

    Args:
        faces: the training faces.
        spec: the model's label sets.
    """
    frequencies = {}
    for name, names in spec.label_sets.items():
        labels = faces.also.get(name, faces.labels)
        counts = np.bincount(labels[labels >= 0], minlength=len(names)).astype(np.float64)
        if name not in faces.also and faces.targets is not None:
            counts = faces.targets.sum(axis=0, dtype=np.float64)
        frequencies[name] = ((counts + 1) / (counts + 1).sum()).tolist()
    return frequencies


def compute_face_losses(
    spec: ModelSpec,
    config: TrainConfig,
    outputs: Outputs,
    batch: Batch,
    weights: Weights | None = None,
) -> Losses:
    """Return the unweighted loss of each face by its labels: for each output float32 (N,).

    Linear in labels, targets and intensity, so that a mixture's cost is the mixture of the costs.
    """

    def cross_entropy(name: str, labels: Tensor, targets: Tensor | None) -> Tensor:
        weight = None if weights is None else weights[name].to(labels.device)
        smoothing = config.label_smoothing
        logits = outputs.logits[name]
        # a face without a label of this set has -1, which costs nothing
        if targets is None:
            return functional.cross_entropy(
                logits, labels, weight, ignore_index=-1, reduction="none", label_smoothing=smoothing
            )
        # distributions are soft already
        costs = functional.cross_entropy(logits, targets, weight, reduction="none")
        return torch.where(labels >= 0, costs, 0.0)

    costs = {spec.label_set: cross_entropy(spec.label_set, batch.labels, batch.targets)}
    costs |= {name: cross_entropy(name, labels, None) for name, labels in batch.also.items()}
    if outputs.intensity is not None and batch.intensity is not None:
        costs[INTENSITY] = _intensity(outputs.intensity, batch.intensity)
    return costs


def sum_losses(
    spec: ModelSpec, config: TrainConfig, own: Losses, taught: Losses | None = None
) -> Tensor:
    """Combine the losses of all outputs: float32 (N,).

    Args:
        spec: the model's outputs.
        config: the weights of the losses.
        own: losses by the labels.
        taught: distillation losses; outputs that teachers lack use the labels only.
    """
    factors = {
        **dict.fromkeys(spec.also, config.extra_labels_weight),
        INTENSITY: config.intensity_weight,
    }
    whole = torch.zeros_like(own[spec.label_set])
    for name, costs in own.items():
        if taught is not None and name in taught:
            share = config.teacher_weight
            costs = (1 - share) * costs + share * taught[name]
        whole = whole + factors.get(name, 1.0) * costs
    return whole


def _intensity(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy of a fraction of raters, or 0 where it is unknown (NaN)."""
    known = ~torch.isnan(wanted)
    costs = functional.binary_cross_entropy_with_logits(
        logits, torch.where(known, wanted, 0.5), reduction="none"
    )
    return torch.where(known, costs, 0.0)


class Teachers:
    """Teacher networks for distillation of their mean scores (Hinton, Vinyals and Dean 2015).

    No module, so that they are in no checkpoint and no average of weights.

    Args:
        networks: in evaluation mode.
        specs: what each declares.
    """

    def __init__(self, networks: list[nn.Module], specs: list[ModelSpec]) -> None:
        self.networks, self.specs = networks, specs

    def __deepcopy__(self, memo: object) -> "Teachers":
        """Return these: a moving average copies the task, and teachers never change."""
        return self

    def to(self, device: torch.device) -> None:
        """Move them."""
        for network in self.networks:
            network.to(device)

    def losses(self, spec: ModelSpec, outputs: Outputs, faces: Tensor) -> Losses:
        """Return the cross-entropy of each face's outputs with the teachers' scores.

        Their scores are taken as they learnt them, without temperature.

        Args:
            spec: the student's specification.
            outputs: the student's outputs, for the same faces.
            faces: float32 (N, C, H, W) from 0 to 1, the student's input.

        Returns:
            For each output that both sides have: float32 (N,).
        """
        with torch.no_grad():
            said = [
                take_apart(own, network(faces).float())
                for network, own in zip(self.networks, self.specs, strict=True)
            ]
        costs = {}
        for name, labels in spec.label_sets.items():
            opinions = [
                outputs_of.logits[name].softmax(1)[
                    :, find_positions(labels, teacher.label_sets[name])
                ]
                for teacher, outputs_of in zip(self.specs, said, strict=True)
                if name in outputs_of.logits
            ]
            if opinions:
                mean = torch.stack(opinions).mean(0)
                costs[name] = functional.cross_entropy(outputs.logits[name], mean, reduction="none")
        if outputs.intensity is not None:
            strengths = [s.intensity.sigmoid() for s in said if s.intensity is not None]
            if strengths:
                costs[INTENSITY] = _intensity(outputs.intensity, torch.stack(strengths).mean(0))
        return costs
