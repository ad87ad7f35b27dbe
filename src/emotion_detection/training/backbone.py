"""Backbones of timm by name, from scratch or with the weights that timm publishes.

``--pretrained FILE`` reads weights from disk; nothing in the file is executed. Files may be timm's
own or those of torchvision and the like: where the names of the tensors differ but their order and
shapes are those of timm's network, they are taken in that order.
"""

import difflib
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from emotion_detection.errors import InputError

_WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema")
"""Keys under which training scripts keep the weights."""


def check_weights_file(path: str | Path) -> None:
    """Reject a path that is no file on disk, without reading it.

    Raises:
        InputError: it is missing, a folder or a URL.
    """
    if "://" in str(path):
        raise InputError(
            f"--pretrained {path}: weights are read from disk alone; download it first"
        )
    if not Path(path).is_file():
        what = "a folder" if str(path) and Path(path).is_dir() else "no such file"
        raise InputError(f"--pretrained {path}: {what}; it takes true, false or a file of weights")


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file, or of a PyTorch file of tensors alone.

    Args:
        path: the file.

    Returns:
        The tensors by name, in the file's order.

    Raises:
        InputError: it is missing, damaged, a URL, or holds more than tensors.
    """
    check_weights_file(path)
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        if "weights_only" in reason or "Weights only" in reason:
            reason = "it holds more than tensors"
        raise InputError(
            f"--pretrained {path}: cannot be read as weights: {reason[:160]}"
        ) from None
    for name in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not content:
        raise InputError(f"--pretrained {path}: holds no weights by name")
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"--pretrained {path}: holds more than tensors by name")
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def fit_weights(weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor] | None:
    """Return weights under a network's own names, or None where they are of another network.

    Args:
        weights: tensors by name; those of a last layer may follow, and are left out.
        network: without its last layer, and with as many input channels as the weights.
    """
    own = network.state_dict()
    if all(name in weights and weights[name].shape == own[name].shape for name in own):
        return {name: weights[name] for name in own}
    # counters of batches seen, which older files lack, tell nothing
    counted = [name for name in own if name.endswith("num_batches_tracked")]
    names = [name for name in own if name not in counted]
    given = [v for name, v in weights.items() if not name.endswith("num_batches_tracked")]
    if len(given) < len(names):
        return None
    pairs = list(zip(names, given, strict=False))
    if any(own[name].shape != value.shape for name, value in pairs):
        return None
    # only a last layer may be left over: one matrix and its bias at most
    if len(given) - len(names) > 2:
        return None
    return dict(pairs) | {name: own[name] for name in counted}


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
