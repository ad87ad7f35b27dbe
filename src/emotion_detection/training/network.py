"""Specification and creation of networks: plain ``nn.Module``s without Lightning.

Every network takes float32 faces (N, C, H, W) from 0 to 1 and gives float32 (N, spec.outputs): the
logits of the first label set, those of further ones, and, where intensity is learnt, its logit.
Its last layer is ``head``, so that it can be replaced for other classes.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from emotion_detection.errors import InputError
from emotion_detection.labels import compose_name
from emotion_detection.training.backbone import Backbone, check_backbone, check_weights_file
from emotion_detection.training.residual import PoolingNet, ResidualNet


@dataclass(frozen=True)
class ModelSpec:
    """Specification of a model, stored in every checkpoint and ONNX file.

    Args:
        network: name of the network.
        labels: class names of the first label set, in the order of the logits.
        channels: 1 for grey, 3 for RGB.
        size: height and width of a face in pixels.
        dropout: probability that a hidden unit is dropped while training.
        label_set: name of the first label set, such as 'ferplus'.
        also: class names of further label sets, each with logits of its own.
        intensity: whether the last output is an intensity.
    """

    network: str
    labels: tuple[str, ...]
    channels: int
    size: int
    dropout: float
    label_set: str = "own"
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    intensity: bool = False

    @property
    def outputs(self) -> int:
        """Width of the last layer."""
        return len(self.labels) + sum(map(len, self.also.values())) + self.intensity

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """Return every label set's class names, the first set first."""
        return {self.label_set: self.labels, **self.also}

    def output_name(self, label_set: str) -> str:
        """Return the name of the exported output that holds a label set's scores."""
        return "scores" if label_set == self.label_set else f"scores_{label_set}"

    @property
    def input(self) -> dict[str, Any]:
        """Return the description of the input for ONNX metadata and records."""
        return {
            "layout": "NCHW",
            "dtype": "uint8",
            "channels": self.channels,
            "height": self.size,
            "width": self.size,
            "color": "grey" if self.channels == 1 else "RGB",
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for checkpoints."""
        also = {name: list(labels) for name, labels in self.also.items()}
        return {**asdict(self), "labels": list(self.labels), "also": also}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelSpec":
        """Create an instance from the values of :meth:`as_dict`."""
        # runs of earlier versions may have other forms of the names that the data has
        also = {name: tuple(map(compose_name, own)) for name, own in values.get("also", {}).items()}
        return cls(**{**values, "labels": tuple(map(compose_name, values["labels"])), "also": also})


class Outputs(NamedTuple):
    """A network's output, taken apart.

    Args:
        logits: float32 (N, classes) of each label set, the first set first.
        intensity: float32 (N,), a logit, or None.
    """

    logits: dict[str, Tensor]
    intensity: Tensor | None


def take_apart(spec: ModelSpec, outputs: Tensor) -> Outputs:
    """Split an output (N, spec.outputs) into logits and intensity."""
    widths = [len(labels) for labels in spec.label_sets.values()]
    parts = torch.split(outputs, [*widths, *([1] * spec.intensity)], dim=1)
    return Outputs(
        dict(zip(spec.label_sets, parts, strict=False)),
        parts[-1].squeeze(1) if spec.intensity else None,
    )


class Baseline(nn.Module):
    """The baseline CNN: three 3 x 3 convolutions with ReLU and 2 x 2 max pooling, two dense layers.

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
        self.head = nn.Linear(128, spec.outputs)

    def forward(self, faces: Tensor) -> Tensor:
        """Return float32 (N, spec.outputs) for faces float32 (N, C, H, W) from 0 to 1."""
        return cast(Tensor, self.head(self.hidden(self.features(faces * 2 - 1))))


def _residual(**shape: Any) -> Callable[[ModelSpec], nn.Module]:
    def make(spec: ModelSpec) -> nn.Module:
        return ResidualNet(spec.channels, spec.outputs, spec.dropout, **shape)

    return make


NETWORKS: dict[str, Callable[[ModelSpec], nn.Module]] = {
    "baseline": Baseline,
    "quick": lambda spec: PoolingNet(
        *(spec.channels, spec.outputs, spec.dropout, spec.size),
        widths=(16, 48, 96),
        convolutions=(1, 1, 2),
        hidden=128,
    ),
    "compact": _residual(stem=32, stride=2, widths=(64, 128, 256), blocks=(2, 1, 1)),
    "large": _residual(stem=64, stride=1, widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2)),
}
"""The project's own networks; every other name is one of timm's."""


def check_network(name: str, pretrained: bool | str = False) -> None:
    """Reject a network that cannot be created, before data is loaded.

    Raises:
        InputError: no network of that name, or no published weights for this project's own.
    """
    if name not in NETWORKS:
        check_backbone(name)
        if isinstance(pretrained, str):
            check_weights_file(pretrained)
    elif pretrained:
        raise InputError(
            f"--pretrained {'true' if pretrained is True else pretrained}: is for timm's "
            f"backbones, not for {name}; to start from this project's model say --init pretrained"
        )


def build(spec: ModelSpec, pretrained: bool | str = False) -> nn.Module:
    """Create a network with random weights from torch's global random state.

    Args:
        spec: which network, for what input and output.
        pretrained: take timm's published weights for all but the last layer; or those of a file.

    Raises:
        InputError: no network of that name, or its published weights cannot be had.
    """
    check_network(spec.network, pretrained)
    if make := NETWORKS.get(spec.network):
        return make(spec)
    return Backbone(spec.network, spec.channels, spec.size, spec.outputs, spec.dropout, pretrained)


def scale_to_unit(faces: Tensor) -> Tensor:
    """Scale uint8 faces to float32 from 0 to 1: the one place where pixels become numbers."""
    return faces.float() / 255


def count_parameters(network: nn.Module) -> int:
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


def build_seeded(spec: ModelSpec, seed: int, pretrained: bool | str = False) -> nn.Module:
    """Create a network whose random weights depend on the seed only."""
    torch.manual_seed(seed)
    return build(spec, pretrained)


def count_multiply_adds(network: nn.Module, spec: ModelSpec) -> int:
    """Return the multiply-adds per face, in convolutions and dense layers."""
    was_training = network.training
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.eval()(torch.zeros(1, spec.channels, spec.size, spec.size))
    network.train(was_training)
    return int(counter.get_total_flops()) // 2
