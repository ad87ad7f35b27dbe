"""Small networks for small faces: a residual one, and a tiny one with pooling.

Both are designed for CPUs. The residual network halves the resolution in the first layer (He et al.
2016, "Identity Mappings"). Weights are channels-last (a quarter faster under bf16). There is no
squeeze-and-excitation, which would cost a third of the speed.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


def _convolution(before: int, after: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
    )


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; a stride of 2 halves the resolution."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, after, 3, stride)
        self.second = _convolution(after, after, 3, 1)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(torch.relu(self.first(x)))
        return torch.relu(inner + self.shortcut(x))


class ResidualNet(nn.Module):
    """Stem, stages of residual blocks, mean over the face, dropout, one dense layer.

    The last batch norm of a block does not start at zero, as is usual in deep networks: with four
    blocks this cost the first epochs nearly all their progress (measured).

    Args:
        channels: 1 for grey, 3 for RGB.
        outputs: width of the last layer.
        dropout: probability that one of the features before it is dropped.
        stem: channels of the first convolution.
        stride: 2: the stem halves the resolution; 1: it does not.
        widths: channels of each stage.
        blocks: residual blocks of each stage; every stage but one that keeps the stem's width
            begins by halving the resolution.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        dropout: float,
        stem: int,
        stride: int,
        widths: Sequence[int],
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        self.stem = _convolution(channels, stem, 3, stride)
        self.stages = nn.Sequential(
            *(
                _stage(before, after, count)
                for (before, after), count in zip(pairwise((stem, *widths)), blocks, strict=True)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], outputs)
        _lay_channels_last(self)

    def forward(self, faces: Tensor) -> Tensor:
        """Return float32 (N, outputs) for faces float32 (N, C, H, W) from 0 to 1."""
        features = self.stages(torch.relu(self.stem((faces - 0.5) * 4)))
        return cast(Tensor, self.head(self.dropout(features.mean(dim=(2, 3)))))


def _stage(before: int, after: int, count: int) -> nn.Sequential:
    first = _Block(before, after, 1 if before == after else 2)
    return nn.Sequential(first, *(_Block(after, after, 1) for _ in range(count - 1)))


def _lay_channels_last(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


class PoolingNet(nn.Module):
    """Convolutions and max pooling, then two dense layers: learns more in a minute than residuals.

    Every face is first scaled to mean 0 and variance 1, and the dense layers see where in the face
    a feature is: at 24 px the first epochs get further with both (measured).

    Args:
        channels: 1 for grey, 3 for RGB.
        outputs: width of the last layer.
        dropout: probability that a hidden unit is dropped.
        size: height and width of a face in pixels.
        widths: channels of each stage; every stage ends by halving the resolution, and the first
            is the stem.
        convolutions: 3 x 3 convolutions of each stage.
        hidden: width of the hidden dense layer.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        dropout: float,
        size: int,
        widths: Sequence[int],
        convolutions: Sequence[int],
        hidden: int,
    ) -> None:
        super().__init__()
        stages = [
            _pooled(before, after, count)
            for (before, after), count in zip(
                pairwise((channels, *widths)), convolutions, strict=True
            )
        ]
        self.stem, self.stages = stages[0], nn.Sequential(*stages[1:])
        pixels = (size // 2 ** len(widths)) ** 2
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * pixels, hidden, bias=False),
            _HiddenNorm(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(hidden, outputs)
        _lay_channels_last(self)

    def forward(self, faces: Tensor) -> Tensor:
        """Return float32 (N, outputs) for faces float32 (N, C, H, W) from 0 to 1."""
        faces = faces - faces.mean(dim=(1, 2, 3), keepdim=True)
        # a face without contrast stays near 0
        faces = faces / (faces.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-3).sqrt()
        return cast(Tensor, self.head(self.hidden(self.stages(self.stem(faces)))))


class _HiddenNorm(nn.BatchNorm1d):
    """Batch norm that treats a batch of one face, which has no variance, as in evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            mean, variance = self.running_mean, self.running_var
            return functional.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class _ChannelsLast(nn.Module):
    """Says how pixels lie in memory, which a convolution of one channel leaves open.

    Max pooling of a bf16 batch that lies otherwise took a third of a step (measured).
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def _pooled(before: int, after: int, count: int) -> nn.Sequential:
    """Convolutions, the last one pooled before its batch norm: a quarter of the pixels to norm."""
    layers: list[nn.Module] = []
    for number in range(count):
        layers.append(nn.Conv2d(after if number else before, after, 3, padding=1, bias=False))
        if number == count - 1:
            layers += [_ChannelsLast(), nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)
