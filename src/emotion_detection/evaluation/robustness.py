"""Test models with each corruption of :mod:`.corruptions`, and plot accuracy and examples."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.evaluation.corruptions import CORRUPTIONS, SEED, STRENGTHS, corrupt
from emotion_detection.evaluation.evaluate import EvaluationPlan
from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
    PALE,
    new_figure,
    render_png,
    use_plot_style,
)
from emotion_detection.evaluation.predictions import (
    Matched,
    gather_rows,
    match,
    own_rows,
    predict_by_class,
)
from emotion_detection.io.files import write_atomic
from emotion_detection.io.progress import show_progress
from emotion_detection.metrics.calibration import LEAST_SCORE, expected_calibration_error
from emotion_detection.metrics.classification import compute_class_means, count_confusions
from emotion_detection.metrics.statistics import (
    bootstrap_paired_difference,
    compute_accuracy_interval,
)
from emotion_detection.postprocessing import Prior
from emotion_detection.training.provenance import describe_code

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 5  # pixels between the examples


@use_plot_style
def draw_robustness(found: Mapping[str, Any], title: str = "") -> "Figure":
    """Plot accuracy against strength: a small panel for each corruption, on common axes.

    Args:
        found: content of ``corruptions.json``.
        title: title of the plot.
    """
    names = list(found["corruptions"])
    columns = 3
    lines = -(-len(names) // columns)
    figure, _ = new_figure(4.6, 0.35 + 1.15 * lines)
    figure.clear()
    panels = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    clean = found["clean"]["accuracy"]
    for axes, name in zip(panels, names, strict=False):
        one = found["corruptions"][name]
        axes.axhline(clean, color=PALE, lw=0.8, linestyle=(0, (3, 2)))
        if one.get("ci95"):
            low, high = zip(*one["ci95"], strict=True)
            axes.fill_between(found["severities"], low, high, color=FIRST, alpha=0.25, lw=0)
        axes.plot(found["severities"], one["accuracy"], ".-", color=FIRST, ms=4, lw=1.3)
        axes.set_title(name.replace("_", " "), fontsize=7.5, color=INK, pad=2)
        axes.set(ylim=(0, 1), xticks=found["severities"])
        axes.grid()
        axes.tick_params(labelsize=7)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("strength", fontsize=8, color=PALE)
    figure.supylabel("accuracy", fontsize=8, color=PALE)
    if title:
        figure.suptitle(title, fontsize=8, color=INK)
    return figure


def draw_examples(face: npt.NDArray[np.uint8], row: int = 0) -> bytes:
    """Draw one face under every corruption at every strength.

    Args:
        face: uint8 (C, H, W), C 1 or 3.
        row: row of the face in the data, which the random numbers depend on.

    Returns:
        The PNG's bytes.
    """
    from matplotlib.figure import Figure

    names = list(CORRUPTIONS)
    half = -(-len(names) // 2)
    figure = Figure(figsize=(11, 0.78 * half + 0.3), layout="constrained", dpi=150)
    for axes, own in zip(figure.subplots(1, 2), (names[:half], names[half:]), strict=True):
        height, width = face.shape[1] + _GAP, face.shape[2] + _GAP
        sheet = np.full((height * half, width * len(STRENGTHS), 3), 255, np.uint8)
        for line, name in enumerate(own):
            for column, strength in enumerate(STRENGTHS):
                spoiled = corrupt(face[None], name, strength, np.array([row]))[0]
                place = np.s_[line * height :, column * width :]
                sheet[place][: face.shape[1], : face.shape[2]] = np.moveaxis(spoiled, 0, -1)
        axes.imshow(sheet, interpolation="nearest")
        axes.set_xticks(
            [(column + 0.5) * width - _GAP / 2 for column in range(len(STRENGTHS))],
            [f"strength {at}" if at == STRENGTHS[0] else str(at) for at in STRENGTHS],
            color=PALE,
        )
        axes.set_yticks(
            [(line + 0.5) * height - _GAP / 2 for line in range(len(own))],
            [name.replace("_", "\n") for name in own],
            color=INK,
        )
        axes.tick_params(length=0, labelsize=9, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    return render_png(figure)


CHUNK = 1024
"""Faces per block, which bounds memory whatever the size of the data."""

COVERAGES = (1.0, 0.8, 0.5, 0.2)
"""Coverages (fractions of the most confident faces) at which accuracy is computed."""

Test = tuple[str, int]
"""A corruption and a strength; ``("", 0)`` is no corruption."""


class _Answers(NamedTuple):
    """Predictions of N faces in T tests.

    Args:
        called: int64 (N, T), the predicted class.
        confidence: float32 (N, T), the highest score.
        own: float32 (N, T), the score of the true class.
    """

    called: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    own: npt.NDArray[np.float32]

    def compute_calibration(self, truth: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return the result of :func:`compute_corrupted_calibration`."""
        right = self.called == truth[:, None]
        return compute_corrupted_calibration(right, self.confidence, self.own)


def evaluate_corruptions(asked: EvaluationPlan, seed: int = SEED) -> dict[str, Any]:
    """Test models under every corruption, and write ``corruptions.json`` and ``corruptions.png``.

    Args:
        asked: a planned test from :func:`~emotion_detection.evaluation.evaluate.ask`; scores are
            averaged over models and views.
        seed: random seed of the corruptions.

    Returns:
        The content of ``corruptions.json``; empty in all processes but the first.

    Raises:
        InputError: the results cannot be written.
    """
    start = time.perf_counter()
    matched = match(asked.models, asked.config, asked.dataset, asked.split, asked.classes)
    tests: list[Test] = [("", 0), *((name, s) for name in CORRUPTIONS for s in STRENGTHS)]
    answers = _answers(matched, tests, (asked.views, asked.prior), seed)
    if answers is None:  # another process has all of it
        return {}
    after, before = answers
    sure = after.confidence.mean(axis=0, dtype=np.float64)
    record = compute_robustness_metrics(after.called, matched.truth, matched.names)
    record["calibration"] = {
        **after.compute_calibration(matched.truth),
        "before_temperature": before.compute_calibration(matched.truth),
    }
    paths = [model.path.as_posix() for model in asked.models]
    record |= {
        "seed": seed,
        "mean_score": {"clean": float(sure[0])}
        | {
            name: sure[1:].reshape(-1, len(STRENGTHS))[i].tolist()
            for i, name in enumerate(CORRUPTIONS)
        },
        "command": f"{asked.command} --corruptions",
        "data": {
            "source": asked.dataset.source,
            "label_set": asked.dataset.label_set,
            "hash": asked.dataset.hash,
        },
        "split": asked.split,
        "labels": list(matched.names),
        "model": paths[0] if len(paths) == 1 else paths,
        "size": asked.models[0].size,
        "tta": asked.views > 1,
        "views": asked.views,
        "prior": asked.prior,
        "code": describe_code(),
        "seconds": round(time.perf_counter() - start, 1),
    }
    try:
        drawn = render_png(draw_robustness(record, _title(record)))
        write_atomic(asked.folder / "corruptions.png", drawn)
        write_atomic(asked.folder / "corruptions.json", json.dumps(record, indent=2))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{asked.folder}: the results cannot be written: {reason}") from None
    return record


def _title(record: dict[str, Any]) -> str:
    clean = record["clean"]
    return (
        f"{record['split']}: accuracy {clean['accuracy']:.4f} clean (dashed),\n"
        f"{record['mean_corruption_accuracy']:.4f} on the mean of all corruptions, "
        f"n={clean['n']:,}; bands: 95 %"
    )


def compute_robustness_metrics(
    called: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Compute the metrics under every corruption.

    Args:
        called: int64 (N, 1 + 5 corruptions), the predicted class of each face: without corruption,
            then under every corruption at strengths 1 to 5, in the order of the table.
        truth: int64 (N,), the true classes.
        names: class names.

    Returns:
        Plain values. ``clean`` and each of ``corruptions``: accuracy, its 95 % bootstrap interval,
        balanced accuracy and macro F1 (means over the classes that occur); ``by_severity`` and
        ``mean_corruption_accuracy``: means over corruptions, and over strengths too, like
        ``mean_corruption_balanced_accuracy`` and ``mean_corruption_macro_f1``; ``relative``:
        that mean divided by the clean accuracy (None if that is 0); ``drop``: the loss of accuracy,
        with the paired bootstrap interval over faces; ``called``: number of predictions by class.
    """
    right = called == truth[:, None]
    accuracy = right.mean(axis=0)
    confusions = (count_confusions(truth, column, len(names)) for column in called.T)
    balanced, macro_f1 = np.array([compute_class_means(one) for one in confusions]).T
    intervals = [list(compute_accuracy_interval(column)) for column in right.T]
    counts = [np.bincount(column, minlength=len(names)).tolist() for column in called.T]
    strengths = len(STRENGTHS)
    columns = {
        name: slice(1 + place * strengths, 1 + (place + 1) * strengths)
        for place, name in enumerate(CORRUPTIONS)
    }
    mean = float(accuracy[1:].mean())
    drop = bootstrap_paired_difference(right[:, 1:].mean(axis=1), right[:, 0])
    return {
        "clean": {
            "accuracy": float(accuracy[0]),
            "ci95": intervals[0],
            "balanced_accuracy": float(balanced[0]),
            "macro_f1": float(macro_f1[0]),
            "n": len(truth),
        },
        "severities": list(STRENGTHS),
        "corruptions": {
            name: {
                "accuracy": accuracy[own].tolist(),
                "ci95": intervals[own],
                "balanced_accuracy": balanced[own].tolist(),
                "macro_f1": macro_f1[own].tolist(),
            }
            for name, own in columns.items()
        },
        "mean_corruption_accuracy": mean,
        "mean_corruption_balanced_accuracy": float(balanced[1:].mean()),
        "mean_corruption_macro_f1": float(macro_f1[1:].mean()),
        "relative": mean / float(accuracy[0]) if accuracy[0] else None,
        "drop": {"value": drop.value, "ci95": [drop.low, drop.high]},
        "by_severity": accuracy[1:].reshape(-1, strengths).mean(axis=0).tolist(),
        "called": {"clean": counts[0], **{name: counts[own] for name, own in columns.items()}},
    }


def compute_corrupted_calibration(
    right: npt.NDArray[np.bool_],
    confidence: npt.NDArray[np.float32],
    own: npt.NDArray[np.float32],
) -> dict[str, Any]:
    """Compute the calibration without corruption and under each corruption.

    Args:
        right: bool (N, 1 + 5 corruptions), whether the prediction is correct.
        confidence: float32, the same shape: the highest score.
        own: float32, the same shape: the score of the true class.

    Returns:
        Plain values. ``clean`` and each of ``corruptions``: ece and nll; ``mean_ece`` and
        ``mean_nll``: over all corruptions and strengths; ``accuracy_at_coverage``: of all
        corrupted faces, the accuracy of the fraction with the highest scores.
    """
    ece = [expected_calibration_error(*pair) for pair in zip(confidence.T, right.T, strict=True)]
    nll = -np.log(np.maximum(own, LEAST_SCORE), dtype=np.float64).mean(axis=0)
    strengths = len(STRENGTHS)
    order = np.argsort(-confidence[:, 1:], axis=None, kind="stable")
    sorted_right = right[:, 1:].ravel()[order]
    return {
        "clean": {"ece": ece[0], "nll": float(nll[0])},
        "corruptions": {
            name: {
                "ece": ece[1 + place * strengths : 1 + (place + 1) * strengths],
                "nll": nll[1 + place * strengths : 1 + (place + 1) * strengths].tolist(),
            }
            for place, name in enumerate(CORRUPTIONS)
        },
        "mean_ece": float(np.mean(ece[1:])),
        "mean_nll": float(nll[1:].mean()),
        "accuracy_at_coverage": {
            str(fraction): float(sorted_right[: max(1, round(fraction * len(order)))].mean())
            for fraction in COVERAGES
        },
    }


def _answers(
    matched: Matched, tests: Sequence[Test], reading: tuple[int, Prior], seed: int
) -> tuple[_Answers, _Answers] | None:
    """Predict the faces in every test.

    Returns:
        The answers after and before temperature scaling; None in all processes but the first.
    """
    rows = own_rows(len(matched.truth))
    # after and before temperature scaling; predicted class, its score, score of the true class
    found = np.empty((len(rows), 2, 3, len(tests)), np.float32)
    for column, (name, strength) in enumerate(_shown(tests)):
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            truth = matched.truth[part]
            for place, scores in enumerate(_scores(matched, name, strength, part, reading, seed)):
                own = found[start : start + CHUNK, place, :, column]
                own[:, 0], own[:, 1] = scores.argmax(axis=1), scores.max(axis=1)
                own[:, 2] = scores[np.arange(len(part)), truth]
    # gathered in one call: processes wait for one another only once
    gathered = gather_rows(found.reshape(len(rows), -1), len(matched.truth))
    if gathered is None:
        return None
    after, before = (
        _Answers(called.astype(np.int64), confidence, own)
        for called, confidence, own in gathered.reshape(-1, 2, 3, len(tests)).transpose(1, 2, 0, 3)
    )
    return after, before


def _scores(
    matched: Matched,
    name: str,
    strength: int,
    rows: npt.NDArray[np.int64],
    reading: tuple[int, Prior],
    seed: int,
) -> npt.NDArray[np.float32]:
    """Return the mean scores of all models on corrupted faces.

    Returns:
        float32 (2, rows, names): after and before temperature scaling.
    """
    spoiled: dict[int, npt.NDArray[np.uint8]] = {}
    scores = []
    for model, faces, label_set in zip(
        matched.models, matched.faces, matched.label_sets, strict=True
    ):
        if id(faces) not in spoiled:  # models of one size share the corrupted faces
            images = faces.draw(rows)
            spoiled[id(faces)] = corrupt(images, name, strength, rows, seed) if name else images
        scores.append(
            predict_by_class(spoiled[id(faces)], model, label_set, *reading, matched.names)[:2]
        )
    mean: npt.NDArray[np.float32] = np.mean(scores, axis=0, dtype=np.float32)
    return mean


def _shown(tests: Sequence[Test]) -> Iterator[Test]:
    """Yield the tests, and show progress in the first process."""
    if int(os.environ.get("RANK", "0")):
        yield from tests
    elif sys.stderr.isatty():
        yield from show_progress(tests, "testing under corruptions", len(tests))
    else:
        start, names = time.monotonic(), list(CORRUPTIONS)
        for name, strength in tests:
            yield name, strength
            if strength == STRENGTHS[-1]:
                place = f"{names.index(name) + 1}/{len(names)}"
                said = name.replace("_", " ")
                print(
                    f"corruption {place}: {said}, {time.monotonic() - start:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
