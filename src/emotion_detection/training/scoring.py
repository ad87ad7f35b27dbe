"""Scores of a network, batch by batch."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from emotion_detection.training.network import to_unit

BATCH = 256


class Deployed(nn.Module):
    """A network as users get it: uint8 faces in, scores out; this is what the ONNX file holds.

    Args:
        network: float32 (N, C, H, W) from 0 to 1 -> logits (N, classes).
        temperature: what logits are divided by before the softmax.
    """

    def __init__(self, network: nn.Module, temperature: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Return scores float32 (N, classes), rows sum to 1, for uint8 faces (N, C, H, W)."""
        logits = self.network(to_unit(faces))
        return torch.softmax(logits.float() / self.temperature, dim=1)


def network_scores(
    network: nn.Module, images: npt.NDArray[np.uint8], device: torch.device | str = "cpu"
) -> npt.NDArray[np.float32]:
    """Score faces with a network.

    Args:
        network: as :class:`Deployed` takes it.
        images: uint8 (N, C, H, W).
        device: where to compute.

    Returns:
        float32 (N, classes), rows sum to 1.
    """
    deployed = Deployed(network).eval().to(device)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            faces = torch.from_numpy(np.array(images[start : start + BATCH]))
            parts.append(deployed(faces.to(device)).cpu().numpy())
    return np.concatenate(parts)
