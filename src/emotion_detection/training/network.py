"""Networks: plain ``nn.Module``s that know nothing of Lightning.

Every network takes float32 faces (N, C, H, W) from 0 to 1 and gives logits float32 (N, classes);
its last layer is ``head``, so that it can be replaced for other classes.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelSpec:
    """What a model declares of itself; travels in every checkpoint and ONNX file.

    Args:
        network: name of the network.
        labels: class names, in the order of the logits.
        channels: 1 for grey, 3 for RGB.
        size: height and width of a face in pixels.
        dropout: probability that a hidden unit is dropped while training.
    """

    network: str
    labels: tuple[str, ...]
    channels: int
    size: int
    dropout: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for checkpoints."""
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelSpec":
        """Make it from :meth:`as_dict`'s values."""
        return cls(**{**values, "labels": tuple(values["labels"])})


class Baseline(nn.Module):
    """The seed's CNN: three 3 x 3 convolutions with ReLU and 2 x 2 max pooling, two dense layers.

    Channels 32, 32, 64; a hidden dense layer of 128; dropout before the last layer.

    Args:
        spec: labels, input and dropout.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        widths = (spec.channels, 32, 32, 64)
        self.features = nn.Sequential(
            *(
                layer
                for before, after in pairwise(widths)
                for layer in (nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            )
        )
        pixels = (spec.size // 8) ** 2
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * pixels, 128), nn.ReLU(), nn.Dropout(spec.dropout)
        )
        self.head = nn.Linear(128, len(spec.labels))

    def forward(self, faces: Tensor) -> Tensor:
        """Return logits float32 (N, classes) for faces float32 (N, C, H, W) from 0 to 1."""
        return cast(Tensor, self.head(self.hidden(self.features(faces * 2 - 1))))


NETWORKS: dict[str, type[Baseline]] = {"baseline": Baseline}


def build(spec: ModelSpec) -> nn.Module:
    """Make a network with fresh weights from torch's global random state."""
    return NETWORKS[spec.network](spec)


def to_unit(faces: Tensor) -> Tensor:
    """Scale uint8 faces to float32 from 0 to 1: the one place where pixels become numbers."""
    return faces.float() / 255


def parameter_count(network: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def take_weights(network: nn.Module, weights: dict[str, Tensor]) -> list[str]:
    """Copy weights into a network wherever name and shape agree.

    Returns:
        Names of the parameters that keep their fresh values.
    """
    own = network.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict({**own, **fitting})
    return [name for name in own if name not in fitting]


def freshly_seeded(spec: ModelSpec, seed: int) -> nn.Module:
    """Make a network whose weights depend on the seed alone."""
    torch.manual_seed(seed)
    return build(spec)
