"""Compare two models on the same faces: differences, intervals, tests, and where they differ.

Each difference is the second's metric minus the first's. The interval is a paired bootstrap: each
resample uses the same faces for both models, which cancels out the difficulty of the faces.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.evaluation.saved_tests import SavedTest
from emotion_detection.labels import class_key
from emotion_detection.metrics.calibration import BINS, LEAST_SCORE, assign_bins
from emotion_detection.metrics.classification import compute_f1
from emotion_detection.metrics.statistics import (
    Floats,
    Interval,
    Ints,
    McNemar,
    bootstrap_paired_difference,
    compute_mcnemar,
    percentile_interval,
    resample_counts,
    resample_sums,
)


@dataclass(frozen=True)
class ClassDifference:
    """Differences of two models in one class; NaN where undefined.

    Args:
        recall: difference of the recalls.
        f1: difference of the F1.
    """

    recall: Interval
    f1: Interval


@dataclass(frozen=True)
class Comparison:
    """Differences of two models on the same faces.

    Args:
        n: number of faces.
        mcnemar: test of equal accuracy.
        accuracy: difference of the accuracies.
        balanced_accuracy: difference of the mean recalls, over the classes that occur.
        macro_f1: difference of the macro F1, over the classes that occur.
        ece: difference of the expected calibration errors; below 0 the second is better.
        nll: difference of the negative log likelihoods; below 0 the second is better.
        per_class: differences in each class.
        called_otherwise: number of faces with different predictions.
        only_first: int64, rows (of the first's files) that only the first predicts correctly,
            sorted by the difference in the score of the true class, largest first.
        only_second: int64, rows that only the second predicts correctly, sorted alike.
        second_rows: int64 (N,), the row of each of the first's faces in the second's files.
    """

    n: int
    mcnemar: McNemar
    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    ece: Interval
    nll: Interval
    per_class: dict[str, ClassDifference]
    called_otherwise: int
    only_first: Ints
    only_second: Ints
    second_rows: Ints


def compare(first: SavedTest, second: SavedTest, clusters: Ints | None = None) -> Comparison:
    """Compare two models on the same faces.

    Args:
        first: a test's files.
        second: another test's files, of the same faces with the same labels, in any order.
        clusters: int64 (N,), the person of each of the first's faces; people are then resampled.

    Raises:
        InputError: the tests differ in classes, faces or labels.
    """
    rows, columns = _matched(first, second)
    truth, one, two = first.truth, first.scores, second.scores[rows][:, columns]
    right = [scores.argmax(1) == truth for scores in (one, two)]
    own = np.arange(len(truth)), truth
    gain = two[own] - one[own]
    order = np.argsort(gain, kind="stable")
    ece, nll = _calibration_differences(one, two, truth, clusters)
    balanced, macro_f1, per_class = _class_differences(one, two, truth, first.names, clusters)
    return Comparison(
        n=len(truth),
        mcnemar=compute_mcnemar(right[0], right[1]),
        accuracy=bootstrap_paired_difference(right[0], right[1], clusters),
        balanced_accuracy=balanced,
        macro_f1=macro_f1,
        ece=ece,
        nll=nll,
        per_class=per_class,
        called_otherwise=int((one.argmax(1) != two.argmax(1)).sum()),
        only_first=order[(right[0] & ~right[1])[order]],
        only_second=order[::-1][(right[1] & ~right[0])[order[::-1]]],
        second_rows=rows,
    )


def _matched(first: SavedTest, second: SavedTest) -> tuple[Ints, list[int]]:
    """Return the second's row of each of the first's faces, and its column of each class."""
    where = f"{first.folder} and {second.folder}"
    if sorted(map(class_key, first.names)) != sorted(map(class_key, second.names)):
        raise InputError(
            f"{where}: cannot be compared: their classes differ: {', '.join(first.names)}; "
            f"{', '.join(second.names)}"
        )
    keys = [class_key(name) for name in second.names]
    columns = [keys.index(class_key(name)) for name in first.names]
    rows = np.arange(len(first.files), dtype=np.int64)
    if first.files != second.files:
        place = {name: row for row, name in enumerate(second.files)}
        _refuse_repeated(first)
        _refuse_repeated(second)
        for test, other in ((first, place), (second, dict.fromkeys(first.files))):
            lacking = [name for name in test.files if name not in other]
            if lacking:
                raise InputError(
                    f"{where}: cannot be compared: not the same faces: {len(lacking)} of "
                    f"{len(test.files)} in {test.folder}, such as {lacking[0]}, "
                    "are not in the other; test both on the same data and split"
                )
        rows = np.array([place[name] for name in first.files], np.int64)
    truth = np.argsort(columns)[second.truth[rows]]
    differ = np.flatnonzero(truth != first.truth)
    if len(differ):
        name, row = first.files[differ[0]], differ[0]
        raise InputError(
            f"{where}: cannot be compared: {len(differ)} of {len(truth)} labels differ, such as "
            f"that of {name}: {first.names[first.truth[row]]} and {first.names[truth[row]]}; "
            "test both with the same --labels"
        )
    return rows, columns


def _refuse_repeated(test: SavedTest) -> None:
    name, times = Counter(test.files).most_common(1)[0]
    if times > 1:
        raise InputError(f"{test.folder}: cannot be compared: {name} is there {times} times")


def _class_differences(
    one: npt.NDArray[np.floating],
    two: npt.NDArray[np.floating],
    truth: Ints,
    names: Sequence[str],
    clusters: Ints | None,
) -> tuple[Interval, Interval, dict[str, ClassDifference]]:
    """Return the differences of balanced accuracy, macro F1, and each class's recall and F1."""
    classes, n = len(names), len(truth)
    cells = (truth * classes + one.argmax(1)) * classes + two.argmax(1)
    counts = np.bincount(cells, minlength=classes**3)[np.newaxis]
    drawn = resample_counts(cells, classes**3, clusters)
    (recall, f1, balanced, macro), found = (
        _differences_of_tables(tables.reshape(-1, classes, classes, classes))
        for tables in (counts, drawn)
    )
    per_class = {
        name: ClassDifference(
            recall=percentile_interval(float(recall[0, i]), found[0][:, i], n, clusters),
            f1=percentile_interval(float(f1[0, i]), found[1][:, i], n, clusters),
        )
        for i, name in enumerate(names)
    }
    return (
        percentile_interval(float(balanced[0]), found[2], n, clusters),
        percentile_interval(float(macro[0]), found[3], n, clusters),
        per_class,
    )


def _differences_of_tables(
    tables: npt.NDArray[np.number],
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return differences of recall (T, C), F1 (T, C), balanced accuracy (T,) and macro F1 (T,).

    Args:
        tables: (T, C, C, C) faces by true class, the first's call and the second's.
    """
    of_one, of_two = tables.sum(3), tables.sum(2)
    true = of_one.sum(2)
    hits = [np.diagonal(table, axis1=1, axis2=2) for table in (of_one, of_two)]
    f1 = [compute_f1(table) for table in (of_one, of_two)]
    with np.errstate(invalid="ignore"):
        recall: Floats = (hits[1] - hits[0]) / true
    # a class that is predicted but does not occur is left out, as in metrics.json
    balanced, *macro = (
        np.where(true > 0, one, 0).sum(1) / (true > 0).sum(1) for one in (recall, *f1)
    )
    return recall, f1[1] - f1[0], balanced, macro[1] - macro[0]


def _calibration_differences(
    one: npt.NDArray[np.floating],
    two: npt.NDArray[np.floating],
    truth: Ints,
    clusters: Ints | None,
) -> tuple[Interval, Interval]:
    """Return the differences of ECE and of NLL: both are made of sums over faces."""
    n, bins = len(truth), BINS + 1
    columns = np.zeros((n, 2 * bins + 2))
    columns[:, -1] = 1
    for number, scores in enumerate((one, two)):
        confidence = scores.max(1)
        right = scores.argmax(1) == truth
        columns[np.arange(n), number * bins + assign_bins(confidence)] = right - confidence
        own = np.maximum(scores[np.arange(n), truth].astype(np.float64), LEAST_SCORE)
        columns[:, -2] += np.log(own) * (1, -1)[number]

    def differences(sums: Floats) -> tuple[Floats, Floats]:
        gaps = np.abs(sums[:, : 2 * bins]).reshape(-1, 2, bins).sum(2)
        return (gaps[:, 1] - gaps[:, 0]) / sums[:, -1], sums[:, -2] / sums[:, -1]

    values, found = differences(columns.sum(0)[np.newaxis]), resample_sums(columns, clusters)
    ece, nll = (
        percentile_interval(float(value[0]), drawn, n, clusters)
        for value, drawn in zip(values, differences(found), strict=True)
    )
    return ece, nll
