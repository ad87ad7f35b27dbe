"""Gather the facts of a model card from the files that commands wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotion_detection.config import find_labels_option
from emotion_detection.errors import InputError
from emotion_detection.evaluation.evaluate import BEST
from emotion_detection.evaluation.saved_tests import (
    read_corruptions,
    read_prior,
    read_views,
    trained_faces_note,
)
from emotion_detection.io.plain_values import read_json, read_yaml

Values = dict[str, Any]

UNKNOWN = "unknown"
"""Text of a card for unknown facts."""

FILTERS = {
    "fer2013": "none: all faces of the split",
    "ferplus": "a majority among FER+'s ten raters (Barsoum et al. 2016)",
}
"""Tested faces of a split, by label set; other label sets have no filter."""

_OWN_RIGHTS = (
    "The rights in the training faces, and whether the people shown agreed, are for whoever "
    "publishes this model to state; no file tells."
)
_DRAWN_RIGHTS = (
    "The faces are synthetic, rendered by the project (MIT licence); no person is shown."
)
_DRAWN_LIMITS = "Trained on synthetic faces: its metrics on them say nothing about people."
_OWN_LIMITS = "What was not measured is not known; see the tables for what was."
_OWN_USE = "Not stated; whoever publishes this model says what it is meant for."


@dataclass(frozen=True)
class CardFacts:
    """The facts of a model card.

    Args:
        name: name of the model.
        labels: for each label set the emotions, the model's main set first.
        input: description of a face.
        parameters: number of trained parameters.
        licence: licence of the model.
        rights: the state of the rights in the training faces.
        intended_use: intended use of the model.
        limits: limits of the model.
        training: ``command``, ``data``, ``data_hash``, ``seed``, ``code``, ``hardware``,
            ``seconds``, ``packages``; 'unknown' by default.
        figures: metrics of tests, each a test's ``metrics.json`` with ``labels_set``, ``filter``,
            ``test_data``, ``command``, ``own`` (whether it is the training dataset).
        robustness: content of ``corruptions.json``, or None.
        groups: metrics by group (``groups`` of ``report.json``), or None.
        notes: further measured sentences, such as on the agreement of the two label sets.
    """

    name: str
    labels: dict[str, list[str]]
    input: str
    parameters: int
    licence: str
    rights: str
    intended_use: str
    limits: str
    training: Values
    figures: Sequence[Values]
    robustness: Values | None = None
    groups: Mapping[str, Any] | None = None
    notes: Sequence[str] = field(default=())


def read_shipped_facts(
    record: Values,
    robustness: Values | None = None,
    notes: Sequence[str] = (),
    groups: Mapping[str, Any] | None = None,
) -> CardFacts:
    """Return the facts of the shipped model.

    Args:
        record: the record of the model (``pretrained.read_record()``).
        robustness: result of ``emotion test --corruptions``, or None.
        notes: further sentences.
        groups: metrics by group, or None.
    """
    training, face = record["training"], record["input"]
    return CardFacts(
        name=record["name"],
        labels=record["labels"],
        input=_face(face["height"], face["width"], face["channels"]),
        parameters=record["parameters"],
        licence="mit",
        rights=record["rights"],
        intended_use=record["intended_use"],
        limits=record["limits"],
        training={
            "command": training["command"],
            "again": training["again"],
            "data": "FER-2013 (28,709 training faces) with FER+'s votes",
            "data_hash": training["data_hash"],
            "seed": training["config"]["seed"],
            "code": training["code_version"],
            "hardware": training["hardware"],
            "seconds": training["seconds"],
            "packages": training["packages"],
        },
        figures=[
            {**figure, "labels_set": figure["labels"], "test_data": figure["data"], "own": True}
            for figure in record["figures"]
        ],
        robustness=robustness,
        groups=groups,
        notes=notes,
    )


def run_facts(
    run: Path, groups: Mapping[str, Any] | None = None, untested: bool = False
) -> CardFacts:
    """Return the facts of a run, from the files and tests in the run folder.

    Args:
        run: ``models/RUN``.
        groups: metrics by group, or None.
        untested: whether to accept a run without a test, with metrics on validation.

    Raises:
        InputError: the run is incomplete, or was never tested.
    """
    check_run(run)
    try:
        return _facts_of(run, groups, untested)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"--card: {run}: a file of this run is damaged: {error!r}") from None


def _facts_of(run: Path, groups: Mapping[str, Any] | None, untested: bool) -> CardFacts:
    made, validation = _read(run / "provenance.json"), _read(run / "metrics.json")
    tests = {path: _read(path) for path in sorted((run / "test").glob("*/metrics.json"))}
    tests = {path: found for path, found in tests.items() if _of_this_model(found)}
    if not tests and not untested:
        raise InputError(
            f"{run}: was not tested yet, so the card would have no metrics: "
            f"python test.py --model {run}"
        )
    trained_on = made["data"]["source"]
    figures = [_figure(path, found, trained_on) for path, found in tests.items()]
    figures = figures or [_validation_figure(run, validation, trained_on)]
    spoilt = (
        read_corruptions(path.parent, found)
        for path, found in tests.items()
        if found["data"]["source"] == trained_on
    )
    machine, drawn = made["machine"], made["data"]["label_set"] == "demo"
    return CardFacts(
        name=run.name,
        labels={made["data"]["label_set"]: made["data"]["labels"]},
        input=_input(run),
        parameters=validation["parameters"],
        licence=UNKNOWN,
        rights=_DRAWN_RIGHTS if drawn else _OWN_RIGHTS,
        intended_use=_OWN_USE,
        limits=_DRAWN_LIMITS if drawn else _OWN_LIMITS,
        training={
            "command": f"python {made['command']}",
            "again": f"python train.py --config {run.as_posix()}/config.yaml",
            "data": f"{trained_on} ({made['data']['sizes']['train']:,} training faces)",
            "data_hash": made["data"]["hash"],
            "seed": made["seed"],
            "code": f"{made['code']['version']} {made['code']['commit'] or ''}".strip(),
            "hardware": machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores",
            "seconds": made.get("fit_seconds", UNKNOWN),
            "packages": made["packages"],
        },
        figures=figures,
        robustness=next((one for one in spoilt if one), None),
        groups=groups,
    )


def check_run(run: Path, option: str = "--card") -> None:
    """Check that a run has the files for a card.

    Args:
        run: ``models/RUN``.
        option: begins the message of an error.

    Raises:
        InputError: the folder is not a run.
    """
    if not (run / "provenance.json").is_file():
        raise InputError(
            f"{option}: {run} is no run's folder: a card needs its provenance.json, metrics.json "
            "and tests"
        )


def _of_this_model(found: Values) -> bool:
    """Return True if a test is of a run's best epoch, and of this model only."""
    return isinstance(found["model"], str) and Path(found["model"]).stem in BEST


def _figure(path: Path, found: Values, trained_on: str) -> Values:
    label_set, source = found["data"]["label_set"], found["data"]["source"]
    views, prior = read_views(found), read_prior(found)
    note = trained_faces_note(found)
    model = path.parents[2].as_posix()
    known = f"python test.py --model {model} --labels {find_labels_option(label_set)}"
    known += ("" if views == 1 else f" --views {views}") + (
        "" if prior == "natural" else f" --prior {prior}"
    )
    return {
        **found,
        "labels_set": label_set,
        "filter": FILTERS.get(label_set, "none"),
        "test_data": f"{source}, {found['split']}" + (f" ({note})" if note else ""),
        "command": found.get("command", known),
        "own": source == trained_on,
    }


def _validation_figure(run: Path, found: Values, trained_on: str) -> Values:
    """Return a run's metrics on validation, for a card of a run that was not tested."""
    label_set, place = found["data"]["label_set"], run.as_posix()
    return {
        **found,
        "labels_set": label_set,
        "filter": FILTERS.get(label_set, "none"),
        "test_data": f"{trained_on}, validation (not tested; the best epoch was chosen on these "
        "faces)",
        "temperature": [found["temperature"]],
        "command": f"python test.py --model {place} --split validation",
        "own": True,
        "is_test": False,
    }


def _input(run: Path) -> str:
    try:
        config = read_yaml(run / "config.yaml", "--card")
        return _face(config["size"], config["size"], config["channels"])
    except (InputError, KeyError, TypeError):
        return UNKNOWN


def _face(height: int, width: int, channels: int) -> str:
    return f"{height} x {width} {'grey' if channels == 1 else 'RGB'}, uint8"


def _read(path: Path) -> Values:
    try:
        values: Values = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return values
