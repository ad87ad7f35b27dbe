"""``--init`` and ``--teacher``: initial weights, and teachers for distillation.

Both also take model folders of the Hugging Face hub.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from emotion_detection import pretrained
from emotion_detection.config import TrainConfig
from emotion_detection.data.exclude import read_excluded_names
from emotion_detection.errors import InputError
from emotion_detection.io.files import load_file
from emotion_detection.io.hub_download import find_hub_folder
from emotion_detection.io.hub_folder import CONFIG, WEIGHTS, HubConfig, read_hub_config
from emotion_detection.labels import class_key, compose_name
from emotion_detection.training.checkpoint import check_spec, load_trained
from emotion_detection.training.losses import Teachers
from emotion_detection.training.network import ModelSpec, build, take_weights


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


def start_from(network: nn.Module, spec: ModelSpec, init: str) -> None:
    """Copy another run's weights into a fresh network, for fine-tuning.

    The last layer is copied row by row, by the names of classes and the intensity. Classes that the
    other run does not know keep their random rows, and a line is printed.

    Args:
        network: takes the weights.
        spec: what it declares of itself.
        init: a run's folder, a checkpoint, a model folder or address of the hub, or 'pretrained'.

    Raises:
        InputError: no such run, or another network or input than this one's.
    """
    weights, other = load_initial_weights(init, "--init")
    theirs = (other.network, other.channels, other.size)
    ours = (spec.network, spec.channels, spec.size)
    if theirs != ours:
        raise InputError(
            f"--init {init}: it has network {theirs[0]} for {theirs[1]} x {theirs[2]} px, "
            f"this training {ours[0]} for {ours[1]} x {ours[2]} px"
        )
    body = {name: value for name, value in weights.items() if not name.startswith("head.")}
    take_weights(network, body)
    if fresh := _take_head(network, spec, weights, other):
        print(
            f"init: {init} does not know {', '.join(fresh)}: new rows in the last layer",
            file=sys.stderr,
        )


def check_sources(config: TrainConfig) -> None:
    """Reject missing runs to start from, and missing lists of faces, before data is loaded.

    Raises:
        InputError: one of them does not exist, or a list cannot be read.
    """
    places = [("--init", config.init), *(("--teacher", place) for place in config.teacher)]
    for option, place in places:
        if place not in (None, "pretrained"):
            _check_exists(place, option)
    if config.exclude is not None:
        read_excluded_names(Path(config.exclude))


def _check_exists(place: str, option: str) -> None:
    if "://" not in place and not Path(place).exists():
        raise InputError(f"{option} {place}: no such run or checkpoint")


def load_initial_weights(place: str, option: str) -> tuple[dict[str, Tensor], ModelSpec]:
    """Return the weights of a run, a checkpoint, a model of the hub, or the shipped model."""
    if place == "pretrained":
        from safetensors import safe_open
        from safetensors.torch import load_file

        path = pretrained.find_weights()
        with safe_open(path, "pt") as file:
            spec = ModelSpec.from_dict(json.loads(file.metadata()["spec"]))
        return load_file(path), spec
    if (folder := find_hub_folder(place, (WEIGHTS,))) is not None:
        return load_hub_weights(folder)
    _check_exists(place, option)
    trained = load_trained(place)
    return dict(trained.network.state_dict()), trained.spec


def _take_head(
    network: nn.Module, spec: ModelSpec, weights: dict[str, Tensor], other: ModelSpec
) -> list[str]:
    """Copy the rows of the last layer that both have; return the names of the other rows."""
    theirs = {(of, class_key(name)): row for row, (of, name) in enumerate(_rows(other))}
    own, fresh = network.state_dict(), []
    for row, (label_set, name) in enumerate(_rows(spec)):
        # the same class of the same label set, else of the first one
        key = class_key(name)
        known = theirs.get((label_set, key), theirs.get((other.label_set, key)))
        if known is None:
            fresh.append(name)
            continue
        for part in ("head.weight", "head.bias"):
            with torch.no_grad():
                own[part][row] = weights[part][known]
    return fresh


def _rows(spec: ModelSpec) -> list[tuple[str, str]]:
    rows = [(label_set, name) for label_set, names in spec.label_sets.items() for name in names]
    return [*rows, ("", "intensity")] if spec.intensity else rows


def load_teachers(places: list[str], spec: ModelSpec) -> Teachers | None:
    """Load the teachers of a training.

    Args:
        places: run folders, checkpoints or 'pretrained'; none gives None.
        spec: specification of the student.

    Raises:
        InputError: no such run, another input, or no label set in common.
    """
    if not places:
        return None
    networks, specs = [], []
    for place in places:
        weights, teacher = load_initial_weights(place, "--teacher")
        theirs, ours = (f"{s.channels} x {s.size} x {s.size} px" for s in (teacher, spec))
        if theirs != ours:
            raise InputError(f"--teacher {place}: takes faces of {theirs}, this training {ours}")
        if not _common(teacher, spec):
            raise InputError(
                f"--teacher {place}: has other labels ({_sets(teacher)}) than this training "
                f"({_sets(spec)})"
            )
        network = build(teacher)
        network.load_state_dict(weights)
        networks.append(network.eval())
        specs.append(teacher)
    return Teachers(networks, specs)


def _common(one: ModelSpec, other: ModelSpec) -> bool:
    shared = one.label_sets.keys() & other.label_sets.keys()
    keys = [
        {name: sorted(map(class_key, spec.label_sets[name])) for name in shared}
        for spec in (one, other)
    ]
    return bool(shared) and keys[0] == keys[1]


def _sets(spec: ModelSpec) -> str:
    return ", ".join(f"{name}: {'/'.join(labels)}" for name, labels in spec.label_sets.items())
