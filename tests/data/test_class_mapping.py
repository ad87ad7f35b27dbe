"""Choosing and renaming classes; several datasets together."""

import numpy as np
import pytest

from emotion_detection.commands.parsing import join_data_words
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.data.class_mapping import (
    choose_classes,
    find_origins,
    join_paths,
    split_paths,
)
from emotion_detection.data.source import Face, Source
from emotion_detection.errors import InputError


def source(labels, faces):
    return Source("own", (), labels, lambda: iter(faces), "own", len(faces))


def faces_of(labels):
    return [Face(str(n), b"", n % len(labels)) for n in range(6)]


def emotions(changed):
    return [(face.name, changed.labels[face.label]) for face in changed.read()]


def test_numbers_get_names():
    labels = ("1", "2", "3")
    changed = choose_classes(source(labels, faces_of(labels)), ["1=surprise", "2=fear"], [])
    assert changed.labels == ("fear", "surprise", "3")
    assert emotions(changed)[:3] == [("0", "surprise"), ("1", "fear"), ("2", "3")]


def test_two_classes_of_one_new_name_become_one():
    labels = ("anger", "disgust", "happiness")
    changed = choose_classes(
        source(labels, faces_of(labels)), ["angry=negative", "disgust=negative"], []
    )
    assert changed.labels == ("happiness", "negative")
    assert [emotion for _, emotion in emotions(changed)[:3]] == [
        "negative",
        "negative",
        "happiness",
    ]


def test_classes_are_chosen_by_any_of_their_names_and_others_left_out():
    labels = ("anger", "happiness", "Bored")
    changed = choose_classes(source(labels, faces_of(labels)), [], ["bored", "happy"])
    assert changed.labels == ("happiness", "Bored")
    assert emotions(changed) == [
        ("1", "happiness"),
        ("2", "Bored"),
        ("4", "happiness"),
        ("5", "Bored"),
    ]
    assert "left out: anger" in changed.notes[-1]


def test_distributions_over_classes_follow():
    target = np.array([0.25, 0.25, 0.5], np.float32)
    faces = [Face("a", b"", 2, target=target, shares=target)]
    labels = ("anger", "disgust", "happiness")
    (merged,) = choose_classes(source(labels, faces), ["disgust=anger"], []).read()
    np.testing.assert_allclose(merged.target, [0.5, 0.5])
    (chosen,) = choose_classes(source(labels, faces), [], ["anger", "happiness"]).read()
    np.testing.assert_allclose(chosen.target, [1 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(chosen.shares, [0.25, 0.5])


@pytest.mark.parametrize(
    ("rename", "classes", "words"),
    [
        (["5=happy"], [], "--rename 5=happy: no class '5'; there are anger, fear"),
        (["happy"], [], "--rename happy: must be OLD=NEW"),
        ([], ["joy"], "--classes joy: no such class; there are anger, fear"),
        ([], ["angry"], "at least two classes are needed"),
        (["fear=anger"], [], "at least two classes are needed"),
    ],
)
def test_what_cannot_be_is_refused(rename, classes, words):
    labels = ("anger", "fear")
    with pytest.raises(InputError, match=words):
        choose_classes(source(labels, faces_of(labels)), rename, classes)


def test_lists_must_be_lists():
    with pytest.raises(InputError, match="--classes happy: must be a list"):
        DataConfig(classes="happy")


@pytest.mark.parametrize("paths", [["a"], ["a", "b c"], ["it's", "b"], ["/x y/1", "2", "3"]])
def test_paths_come_back(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in paths:
        if not path.startswith("/"):
            (tmp_path / path).mkdir()
    assert [str(path) for path in split_paths(join_paths(paths))] == paths


def test_the_words_of_options_with_several_are_joined():
    words = ["--data=a", "b", "--classes", "happy", "sad,bored", "--epochs", "3", "--rename", "1=2"]
    assert join_data_words(words) == [
        "--data=a b",
        '--classes=["happy", "sad", "bored"]',
        "--epochs",
        "3",
        '--rename=["1=2"]',
    ]


def test_several_datasets_keep_their_splits_names_and_origin(
    tmp_path, tiny_set, tiny_faces, write_csv, png, data_config
):
    write_csv(tmp_path / "fer", *tiny_set)
    faces = tiny_faces(12, seed=5)
    for row, face in enumerate(faces):
        folder = (
            tmp_path / "my faces" / ("train", "test")[row % 2] / ("happy", "bored")[row // 2 % 2]
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(png(face))
    places = [str(tmp_path / "fer"), str(tmp_path / "my faces")]
    dataset = load(data_config(join_paths(places)))
    assert dataset.labels[3] == "happiness"
    assert dataset.labels[-1] == "bored"
    assert dataset.sizes == {"train": 34, "validation": 7, "test": 13}
    origins = [name.partition("/")[0] for name in dataset.split("train").names]
    assert sorted(set(origins)) == ["fer", "my faces"]
    assert origins.count("my faces") == 6
    assert find_origins(dataset.split("train").names, dataset.source) == origins
    with pytest.raises(InputError, match="name one dataset"):
        load(data_config(join_paths(places), labels="ferplus"))
    with pytest.raises(InputError, match="the same dataset twice"):
        load(data_config(join_paths([places[0], places[0]])))
