"""Weights of a model folder of the Hugging Face hub, to start or to learn from."""

from pathlib import Path

from torch import Tensor

from emotion_detection.errors import InputError
from emotion_detection.io.files import load_file
from emotion_detection.io.hub_download import find_hub_folder
from emotion_detection.io.hub_folder import CONFIG, WEIGHTS, HubConfig, read_hub_config
from emotion_detection.labels import compose_name
from emotion_detection.training.checkpoint import check_spec
from emotion_detection.training.network import ModelSpec, build


def find_hub_model(place: str) -> tuple[Path, HubConfig] | None:
    """Return the folder and the config of a model of the hub; None: the place is no such model.

    Args:
        place: a model folder, or ``hf://user/name``.

    Raises:
        InputError: as :func:`emotion_detection.io.hub_download.find_hub_folder`.
    """
    folder = find_hub_folder(place, (WEIGHTS,))
    config = None if folder is None else read_hub_config(folder)
    return None if folder is None or config is None else (folder, config)


def load_hub_weights(folder: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    """Load the weights of a model folder; nothing in it is executed.

    Args:
        folder: with ``config.json`` and ``model.safetensors``.

    Returns:
        The tensors by name, and what the model declares of itself.

    Raises:
        InputError: a file is missing or damaged, or the weights are not those of the network that
            the config names.
    """
    from safetensors.torch import load

    known = find_hub_model(str(folder))
    if known is None:
        raise InputError(f"{folder}: no model folder of this project: its {CONFIG} is missing")
    path, config = folder / WEIGHTS, known[1]
    try:
        file = load_file(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    config.check_content(file)
    try:
        spec = _spec_of(config)
        check_spec(spec)
        weights = load(file.content)
        build(spec).load_state_dict(weights)
    except InputError:
        raise
    except Exception as error:  # safetensors and torch raise many kinds for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: not the weights of the network {config.network} that {CONFIG} describes: "
            f"{reason[:160]}"
        ) from None
    return weights, spec


def _spec_of(config: HubConfig) -> ModelSpec:
    (own, labels), *others = (
        (name, tuple(map(compose_name, names))) for name, names in config.label_sets.items()
    )
    return ModelSpec(
        network=config.network,
        labels=labels,
        channels=config.channels,
        size=config.size,
        dropout=config.dropout,
        label_set=own,
        also=dict(others),
        intensity=config.has_intensity,
    )
