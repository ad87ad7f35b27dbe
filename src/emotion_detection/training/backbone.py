"""Backbones of timm by name, from scratch or with the weights that timm publishes."""

import difflib
from typing import Any, cast

import torch
from torch import Tensor, nn

from emotion_detection.errors import InputError
from emotion_detection.training.backbone_weights import fit_weights, read_weights


class Backbone(nn.Module):
    """A network of timm with a last layer of this project's.

    Its input is scaled as its published weights want it; for grey faces with the mean over the
    colours, and its first layer's weights are summed over them (timm does that).

    Args:
        name: timm's name, such as 'resnet18' or 'resnet18.a1_in1k'.
        channels: 1 for grey, 3 for RGB.
        size: height and width of a face in pixels.
        outputs: width of the last layer.
        dropout: probability that one of the features before it is dropped.
        pretrained: fetch published weights; or a file of weights to start from.

    Raises:
        InputError: timm is not installed, knows no such network, or the weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        channels: int,
        size: int,
        outputs: int,
        dropout: float,
        pretrained: bool | str,
    ) -> None:
        super().__init__()
        self.body = _create(name, channels, size, pretrained is True)
        if isinstance(pretrained, str):
            _load_file(self.body, name, channels, pretrained)
        declared: dict[str, Any] = self.body.pretrained_cfg
        mean, std = (_as_channels(declared[key], channels) for key in ("mean", "std"))
        # kept in checkpoints: another version of timm may have other ones
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.dropout = nn.Dropout(dropout)
        # not 'num_features': networks with a layer after the pooling are wider than that
        with torch.no_grad():
            width = self.body.eval()(torch.zeros(1, channels, size, size)).shape[1]
        self.body.train()
        self.head = nn.Linear(width, outputs)

    def forward(self, faces: Tensor) -> Tensor:
        """Return float32 (N, outputs) for faces float32 (N, C, H, W) from 0 to 1."""
        features = self.body((faces - self.mean) / self.std)
        return cast(Tensor, self.head(self.dropout(features)))


def _as_channels(values: tuple[float, ...], channels: int) -> Tensor:
    tensor = torch.tensor(values)
    return (tensor if channels == 3 else tensor.mean().expand(1)).reshape(1, channels, 1, 1).clone()


def check_backbone(name: str) -> None:
    """Reject a name that timm does not know.

    Raises:
        InputError: timm does not know the name, or is not installed.
    """
    try:
        import timm
    except ImportError:
        raise InputError(
            f"--network {name}: not one of this project's own, and timm is not installed: "
            "pip install '.[train]'"
        ) from None
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise InputError(
            f"--network {name}: neither this project's nor timm's (timm.list_models()){hint}"
        )


def _load_file(body: nn.Module, name: str, channels: int, path: str) -> None:
    """Load a file of weights into a network of timm, adapted to the number of channels.

    Raises:
        InputError: the file cannot be read, or is of another network.
    """
    import timm

    weights = read_weights(path)
    # the file's own first layer mostly takes RGB; timm sums it over the colours for grey
    whole: Any = timm.create_model(name, pretrained=False, num_classes=0)
    fitted = fit_weights(weights, whole)
    if fitted is None:
        raise InputError(
            f"--pretrained {path}: its tensors are not those of timm's {name}; name the network "
            "that it was saved from with --network"
        )
    first = whole.pretrained_cfg["first_conv"]
    for layer in (first,) if isinstance(first, str) else first:
        key = f"{layer}.weight"
        if key in fitted and channels == 1:
            fitted[key] = fitted[key].sum(dim=1, keepdim=True)
    body.load_state_dict(fitted)


def _create(name: str, channels: int, size: int, pretrained: bool) -> Any:
    check_backbone(name)
    import timm

    options: dict[str, Any] = {"in_chans": channels, "num_classes": 0}
    try:
        try:
            # those that must know their input's size beforehand take this; others refuse it
            return timm.create_model(name, pretrained=pretrained, img_size=size, **options)
        except TypeError:
            return timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:  # the hub's client raises dozens of kinds
        reason = " ".join(str(error).split())[:120]
        if pretrained:
            raise InputError(
                f"--pretrained true: timm's weights for {name} are neither in its cache nor could "
                f"they be fetched: {reason}; connect to the internet once, or --pretrained false"
            ) from None
        raise InputError(
            f"--network {name}: timm cannot make it for {channels} x {size} px: {reason}"
        ) from None
