"""``--init``: start from another run's weights."""

import sys
from pathlib import Path

from torch import nn

from emotion_detection.errors import InputError
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.network import ModelSpec, take_weights


def start_from(network: nn.Module, spec: ModelSpec, init: str) -> None:
    """Copy another run's weights into a fresh network, for fine-tuning.

    With other classes than that run's, the last layer keeps its fresh weights, and this is said.

    Args:
        network: takes the weights.
        spec: what it declares of itself.
        init: a run's folder or a checkpoint.

    Raises:
        InputError: no such run, or another network or input than this one's.
    """
    if init == "pretrained":
        raise InputError("--init pretrained: this version comes with no model; name a run's folder")
    if not Path(init).exists():
        raise InputError(f"--init {init}: no such run or checkpoint")
    other = load_trained(init)
    theirs = (other.spec.network, other.spec.channels, other.spec.size)
    ours = (spec.network, spec.channels, spec.size)
    if theirs != ours:
        raise InputError(
            f"--init {init}: it has network {theirs[0]} for {theirs[1]} x {theirs[2]} px, "
            f"this training {ours[0]} for {ours[1]} x {ours[2]} px"
        )
    weights = dict(other.network.state_dict())
    if other.spec.labels != spec.labels:
        weights = {k: v for k, v in weights.items() if not k.startswith("head.")}
        print(
            f"init: {init} has other classes ({', '.join(other.spec.labels)}): "
            f"new last layer for {', '.join(spec.labels)}",
            file=sys.stderr,
        )
    take_weights(network, weights)
