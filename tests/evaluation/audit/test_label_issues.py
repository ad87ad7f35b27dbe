"""What is named, against cleanlab on synthetic probabilities and against what was planted."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.outlier import OutOfDistribution

from emotion_detection.audit_options import RANKS
from emotion_detection.evaluation.audit.folds import measure_neighbour_distances
from emotion_detection.evaluation.audit.label_issues import (
    LabelIssues,
    drop_repeated,
    find_differing_duplicates,
    find_faceless,
    find_outliers,
    rank_wrong_labels,
)


@pytest.fixture
def judged():
    """Labels, 60 of 900 wrong, probabilities that follow the truth, and the wrong rows."""
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 5, 900)
    labels = truth.copy()
    wrong = generator.choice(900, 60, replace=False)
    labels[wrong] = (labels[wrong] + generator.integers(1, 5, 60)) % 5
    logits = generator.normal(0, 1, (900, 5))
    logits[np.arange(900), truth] += 4
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, scores.astype(np.float32), set(wrong.tolist())


@pytest.mark.parametrize("rank", RANKS)
def test_wrong_labels_are_cleanlabs_in_its_order(judged, rank):
    labels, scores, wrong = judged
    found = rank_wrong_labels(labels, scores, rank)
    theirs = find_label_issues(
        labels,
        scores.astype(np.float64),
        filter_by={"normalized_margin": "both", "self_confidence": "prune_by_class"}[rank],
        return_indices_ranked_by=rank,
        n_jobs=1,
    )
    theirs = [row for row in theirs.tolist() if scores[row].argmax() != labels[row]]
    assert found.rows.tolist() == theirs
    assert len(wrong & set(found.rows.tolist()[:60])) >= 54
    assert np.array_equal(found.suggested, scores[found.rows].argmax(axis=1))
    assert (np.diff(found.scores) <= 0).all()


def test_the_score_of_a_label_is_what_the_record_says(judged):
    labels, scores, _ = judged
    for rank in RANKS:
        found = rank_wrong_labels(labels, scores, rank)
        own, best = scores[found.rows, labels[found.rows]], scores[found.rows].max(axis=1)
        quality = {"normalized_margin": (own - best + 1) / 2, "self_confidence": own}[rank]
        np.testing.assert_allclose(found.scores, 1 - quality, atol=1e-6)


def test_right_labels_are_not_named():
    labels = np.arange(60) % 3
    scores = np.full((60, 3), 0.05, np.float32)
    scores[np.arange(60), labels] = 0.9
    assert len(rank_wrong_labels(labels, scores)) == 0


def test_of_differing_duplicates_the_minority_is_named():
    labels = np.array([0, 0, 1, 2, 2, 1, 1, 0, 2])
    groups = np.array([0, 0, 0, 3, 4, 5, 5, 7, 7])
    scores = np.full((9, 3), 1 / 3, np.float32)
    scores[7:] = [0.1, 0.2, 0.7]
    found = find_differing_duplicates(labels, groups, scores)
    # two of three say 0; of the pair one label each: the networks prefer 2
    assert found.rows.tolist() == [2, 7]
    assert found.suggested.tolist() == [0, 2]
    np.testing.assert_allclose(found.scores, [2 / 3, 1 / 2])


def test_no_probability_outvotes_the_duplicates():
    labels, groups = np.array([0, 0, 1]), np.zeros(3, np.int64)
    scores = np.tile(np.array([0.0, 1.0], np.float32), (3, 1))
    assert find_differing_duplicates(labels, groups, scores).rows.tolist() == [2]


def test_distances_rank_as_cleanlabs():
    generator = np.random.default_rng(0)
    seen, asked = (generator.normal(size=(n, 8)).astype(np.float32) for n in (300, 80))
    asked[:5] = -seen.mean(axis=0) * 50
    seen, asked = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (seen, asked))
    theirs = OutOfDistribution({"k": 10})
    theirs.fit_score(features=seen, verbose=False)
    order = np.argsort(theirs.score(features=asked), kind="stable")
    ours = measure_neighbour_distances(asked, seen, 10)
    assert np.argsort(-ours, kind="stable")[:40].tolist() == order[:40].tolist()


def test_distances_in_blocks_are_those_by_hand(monkeypatch):
    monkeypatch.setattr("emotion_detection.evaluation.audit.folds._BLOCK", 7)
    generator = np.random.default_rng(1)
    asked, seen = (generator.normal(size=(n, 4)).astype(np.float32) for n in (20, 6))
    asked, seen = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, seen))
    by_hand = np.sort(1 - asked @ seen.T, axis=1)[:, :3].mean(axis=1)
    np.testing.assert_allclose(measure_neighbour_distances(asked, seen, 3), by_hand, atol=1e-6)
    # fewer faces than neighbours: all of them
    by_hand = (1 - asked @ seen.T).mean(axis=1)
    np.testing.assert_allclose(measure_neighbour_distances(asked, seen, 10), by_hand, atol=1e-6)


def test_outliers_are_judged_within_their_fold():
    generator = np.random.default_rng(0)
    distances = np.concatenate([generator.uniform(0.1, 0.2, 50), generator.uniform(0.6, 0.8, 50)])
    folds = np.repeat([0, 1], 50)
    distances[[3, 60]] = 0.5, 1.9
    found = find_outliers(distances.astype(np.float32), folds)
    assert found.rows.tolist() == [3, 60] or found.rows.tolist() == [60, 3]
    assert set(found.suggested.tolist()) == {-1}
    assert len(find_outliers(np.full(20, 0.3, np.float32), np.zeros(20, np.int64))) == 0


def test_images_without_a_face_are_ranked():
    found = find_faceless(np.array([0, 0.7, 0, 1.0], np.float32))
    assert found.rows.tolist() == [3, 1]


def test_each_face_is_taken_once_and_non_faces_first():
    def named(*rows):
        return LabelIssues(np.array(rows), np.ones(len(rows), np.float32), np.zeros(len(rows), int))

    found = {
        "label": named(1, 2, 3),
        "duplicate": named(3, 4),
        "nonface": named(2),
        "outlier": named(1, 5),
    }
    kept = drop_repeated(found, ("label", "duplicate", "nonface", "outlier"))
    assert {reason: own.rows.tolist() for reason, own in kept.items()} == {
        "label": [1, 3],
        "duplicate": [4],
        "nonface": [2],
        "outlier": [5],
    }
    assert list(kept) == ["label", "duplicate", "nonface", "outlier"]
    # a reason that is not wanted takes nothing away
    assert drop_repeated(found, ("duplicate",))["duplicate"].rows.tolist() == [3, 4]
    assert found["label"].top(2).rows.tolist() == [1, 2]
    assert len(found["label"].top(None)) == 3
