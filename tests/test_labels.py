import doctest

import pytest

from emotion_detection import labels as emotions
from emotion_detection.data import source
from emotion_detection.data.formats import parquet
from emotion_detection.labels import (
    EMOTIONS,
    FER2013,
    FERPLUS,
    FERPLUS_COLUMNS,
    canonical_name,
    class_names,
    find_positions,
    sort_labels,
)


@pytest.mark.parametrize("module", [emotions, source, parquet])
def test_the_examples_in_the_docstrings_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_fer2013s_numbers_are_positions():
    assert FER2013 == (
        "anger",
        "disgust",
        "fear",
        "happiness",
        "sadness",
        "surprise",
        "neutral",
    )
    assert list(FERPLUS) == [*FER2013, "contempt"]


def test_ferplus_has_a_column_for_each_emotion_and_two_more():
    assert set(FERPLUS_COLUMNS) == {*FERPLUS, "unknown", "NF"}
    assert FERPLUS_COLUMNS[8:] == ("unknown", "NF")


@pytest.mark.parametrize(
    ("own", "name"),
    [
        (" Happy ", "happiness"),
        ("SAD", "sadness"),
        ("surprised", "surprise"),
        ("calm", "neutral"),
        ("contemptuous", "contempt"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("mad", "anger"),
        ("bored", None),
        ("", None),
    ],
)
def test_datasets_names_are_known(own, name):
    assert canonical_name(own) == name


@pytest.mark.parametrize("name", EMOTIONS)
def test_every_emotion_is_its_own_name(name):
    assert canonical_name(name) == name


def test_known_names_come_in_the_projects_order():
    used = class_names(["neutral", "Happy", "joy", "ANGRY", "Happy"])
    assert used == {
        "ANGRY": "anger",
        "Happy": "happiness",
        "joy": "happiness",
        "neutral": "neutral",
    }
    assert sort_labels(used) == ("anger", "happiness", "neutral")


def test_an_unknown_name_does_not_lose_the_known_ones():
    used = class_names(["sad", "Happy", "bored", "Bored", "awake"])
    assert sort_labels(used) == ("happiness", "sadness", "Bored", "awake")
    assert used["bored"] == used["Bored"] == "Bored"


def test_names_that_differ_in_unicode_form_alone_are_one_class():
    composed, decomposed = "m\u00fcde", "mu\u0308de"
    used = class_names([composed, decomposed])
    assert len(set(used.values())) == 1
    assert find_positions([composed], [decomposed, "wach"]) == [0]


@pytest.mark.parametrize("name", ["0_angry", "3 - Angry", "01.anger"])
def test_a_number_before_a_name_does_not_matter(name):
    assert canonical_name(name) == "anger"


def test_positions_say_where_labels_stand_elsewhere():
    assert find_positions(["contempt", "anger"], FER2013) == [None, 0]
    assert find_positions(FER2013, FERPLUS) == list(range(7))


def test_names_that_differ_only_in_their_unicode_form_are_one_class() -> None:
    one, two = "caf\u00e9", "cafe\u0301"
    assert one != two
    mapping = class_names([one, two, "bored"])
    assert mapping == {"bored": "bored", one: one, two: one}
    assert sort_labels(mapping) == ("bored", one)


def test_full_width_letters_name_the_same_emotion() -> None:
    assert canonical_name("\uff33\uff21\uff24") == "sadness"
