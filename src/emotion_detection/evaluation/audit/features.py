"""Predict held-out faces: scores, and distances to the training faces."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emotion_detection.training.checkpoint import LoadedCheckpoint
from emotion_detection.training.network_scores import compute_outputs

NEIGHBOURS = 10
"""Number of nearest training faces whose mean distance is the outlier score."""

_BLOCK = 2048

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]


def predict_held_out(
    trained: LoadedCheckpoint, held_out: Images, seen: Images
) -> tuple[Values, Values]:
    """Predict the scores and distances of held-out faces.

    Args:
        trained: the network.
        held_out: uint8 (N, C, H, W), the held-out faces.
        seen: uint8 (M, C, H, W), the training faces.

    Returns:
        Scores float32 (N, classes) of the first label set, after temperature, with flip TTA; and
        the distance float32 (N,) to the nearest training faces, 0 to 2
        (:func:`measure_neighbour_distances`).
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    own, scores = _features(trained, held_out, device)
    _, mirrored = _features(trained, held_out[..., ::-1], device)
    known, _ = _features(trained, seen, device)
    trained.network.to("cpu")
    return (scores + mirrored) * np.float32(0.5), measure_neighbour_distances(own, known)


def _features(trained: LoadedCheckpoint, images: Images, device: str) -> tuple[Values, Values]:
    """Return the normalized input of the network's last layer, and the scores."""
    head = trained.network.get_submodule("head")
    caught: list[Tensor] = []

    def catch(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0].detach().float().flatten(1).cpu())

    hook = head.register_forward_pre_hook(catch)
    try:
        outputs = compute_outputs(
            trained.network, trained.spec, images, trained.temperatures, device
        )
    finally:
        hook.remove()
    features = torch.nn.functional.normalize(torch.cat(caught), dim=1)
    return features.numpy(), outputs["scores"]


def measure_neighbour_distances(
    faces: Values, known: Values, neighbours: int = NEIGHBOURS
) -> Values:
    """Return the mean distance of each face to the nearest known faces.

    This is the measure of Kuan and Mueller 2022 ("Back to the Basics: Revisiting
    Out-of-Distribution Detection Baselines"). cleanlab's ``OutOfDistribution`` score decreases with
    this distance.

    Args:
        faces: features float32 (N, D), rows of length 1 (or 0, which have the largest distance).
        known: features float32 (M, D) of the faces to compare with.
        neighbours: number of nearest faces; all where there are fewer.

    Returns:
        float32 (N,), mean cosine distance, 0 to 2.
    """
    nearest = min(neighbours, len(known))
    distances = np.empty(len(faces), np.float32)
    for start in range(0, len(faces), _BLOCK):
        likeness = faces[start : start + _BLOCK] @ known.T
        top = np.partition(likeness, len(known) - nearest, axis=1)[:, len(known) - nearest :]
        distances[start : start + _BLOCK] = 1 - top.mean(axis=1)
    return distances.clip(0, 2)
