"""Scores of a network, batch by batch."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training.network import ModelSpec, scale_to_unit, take_apart

BATCH = 256


class DeployedNetwork(nn.Module):
    """The deployed network, as in the ONNX file: uint8 faces in, scores out.

    Args:
        network: float32 (N, C, H, W) from 0 to 1 -> float32 (N, spec.outputs).
        spec: what it declares of itself.
        temperatures: temperature of each label set; default: 1.
        readouts: postprocessing of each label set, with a bias of the logits; default: none.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        temperatures: dict[str, float] | None = None,
        readouts: dict[str, Postprocessing] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.temperatures = temperatures or {}
        for name, labels in spec.label_sets.items():
            readout = (readouts or {}).get(name, Postprocessing())
            bias = torch.tensor(readout.bias or [0.0] * len(labels))
            self.register_buffer(f"bias_{name}", bias, persistent=False)

    @property
    def names(self) -> list[str]:
        """Names of the outputs of :meth:`forward`."""
        also = [f"scores_{name}" for name in self.spec.also]
        return ["scores", *(["intensity"] if self.spec.intensity else []), *also]

    def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs :attr:`names` for uint8 faces (N, C, H, W).

        Scores are float32 (N, classes), rows sum to 1; intensity is float32 (N,), 0 to 1.
        """
        outputs = take_apart(self.spec, self.network(scale_to_unit(faces)).float())
        first, *also = (
            torch.softmax(
                logits / self.temperatures.get(name, 1.0) + self.get_buffer(f"bias_{name}"), dim=1
            )
            for name, logits in outputs.logits.items()
        )
        intensity = [] if outputs.intensity is None else [outputs.intensity.sigmoid()]
        return (first, *intensity, *also)


def compute_outputs(
    network: nn.Module,
    spec: ModelSpec,
    images: npt.NDArray[np.uint8],
    temperatures: dict[str, float] | None = None,
    device: torch.device | str = "cpu",
    readouts: dict[str, Postprocessing] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Score faces with a network.

    Args:
        network: as for :class:`DeployedNetwork`.
        spec: as for :class:`DeployedNetwork`.
        temperatures: as for :class:`DeployedNetwork`.
        images: uint8 (N, C, H, W).
        device: where to compute.
        readouts: as for :class:`DeployedNetwork`.

    Returns:
        What :attr:`Deployed.names` says, by name.
    """
    deployed = DeployedNetwork(network, spec, temperatures, readouts).eval().to(device)
    parts: list[tuple[npt.NDArray[np.float32], ...]] = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            faces = torch.from_numpy(np.array(images[start : start + BATCH]))
            parts.append(tuple(part.cpu().numpy() for part in deployed(faces.to(device))))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return dict(zip(deployed.names, columns, strict=True))
