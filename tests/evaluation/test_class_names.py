"""Classes of two sources are compared by what they mean: one class of your own loses none."""

from types import SimpleNamespace

import numpy as np
import torch

from emotion_detection.evaluation.predictions import _aligned, _classes
from emotion_detection.labels import FERPLUS, find_positions
from emotion_detection.training.initial_weights import _take_head
from emotion_detection.training.network import ModelSpec, build_seeded


def own(*labels):
    return SimpleNamespace(labels=labels, label_set="own", source="faces")


def faces(*labels):
    return SimpleNamespace(labels=np.array(labels))


def test_a_class_of_ones_own_beside_known_ones_counts_as_a_mistake_and_loses_no_other():
    names, truth = _classes(own("happiness", "sadness", "bored"), faces(0, 1, 2), FERPLUS, None)
    assert names == (*FERPLUS, "bored")
    assert [names[label] for label in truth] == ["happiness", "sadness", "bored"]
    scores = _aligned(np.full((3, 8), 0.125, np.float32), find_positions(names, FERPLUS))
    assert scores[:, -1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)


def test_a_run_whose_classes_have_their_own_spelling_is_tested_on_the_projects_names():
    known = ("bored", "happy", "sad")
    names, truth = _classes(own("happiness", "sadness"), faces(0, 1), known, None)
    assert names == ("bored", "happy", "sad")
    assert [names[label] for label in truth] == ["happy", "sad"]


def test_a_start_takes_over_the_classes_that_the_other_knows_by_another_name():
    theirs = ModelSpec("baseline", FERPLUS, 1, 16, 0.0, "ferplus")
    ours = ModelSpec("baseline", ("Happy", "sad", "bored"), 1, 16, 0.0, "own")
    weights = build_seeded(theirs, 1).state_dict()
    network = build_seeded(ours, 2)
    assert _take_head(network, ours, weights, theirs) == ["bored"]
    for row, known in enumerate(("happiness", "sadness")):
        expected = weights["head.weight"][FERPLUS.index(known)]
        assert torch.equal(network.state_dict()["head.weight"][row], expected)
