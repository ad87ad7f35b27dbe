"""Weights of a backbone from a file on disk, for ``--pretrained FILE``; nothing in it is executed.

Files may be timm's own or those of torchvision and the like: where the names of the tensors differ
but their order and shapes are those of timm's network, they are taken in that order.
"""

from pathlib import Path
from typing import Any

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
