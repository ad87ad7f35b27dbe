import dataclasses
import io
import itertools
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from emotion_detection.data import check as checking
from emotion_detection.data import console as commands
from emotion_detection.data import load
from emotion_detection.data.check import check
from emotion_detection.data.dataset import UnreadableImage
from emotion_detection.errors import InputError

NONE = (0, 0, 0, 0)


def counts(found):
    return found.exact_faces, found.exact_pairs, found.near_faces, found.near_pairs


def jpeg(face):
    out = io.BytesIO()
    Image.fromarray(face).save(out, "JPEG", quality=60)
    return out.getvalue()


def as_text(renderable, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


@pytest.fixture
def write(tmp_path, png, data_config):
    """``write({"train/happy/1.png": face or bytes}, **options)`` -> the dataset read from it."""

    def make(images, **options):
        for name, image in images.items():
            path = tmp_path / "own" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image if isinstance(image, bytes) else png(image))
        return load(data_config(tmp_path / "own", **options))

    return make


@pytest.fixture
def unrelated(tiny_faces):
    """Return 40 faces: 20 in train, 10 in validation, 10 in test, half of each happy."""
    faces = tiny_faces(40)
    places = [
        f"{split}/{label}"
        for split, count in (("train", 10), ("validation", 5), ("test", 5))
        for label in ("happy", "sad")
        for _ in range(count)
    ]
    pairs = zip(places, faces, strict=True)
    return {f"{place}/{n:02d}.png": face for n, (place, face) in enumerate(pairs)}


@pytest.fixture
def planted(unrelated):
    """Return the 40 faces and copies of every kind, and a file that is no image."""
    faces = list(unrelated.values())
    return unrelated | {
        "train/happy/copy.png": faces[0],
        "train/sad/other.png": faces[3],
        "train/sad/broken.png": b"not an image",
        "validation/happy/bright.png": (faces[2] * 0.7 + 40).astype(np.uint8),
        "test/happy/leak.png": faces[1],
        "test/sad/again.png": faces[3],
        "test/sad/jpeg.jpg": jpeg(faces[30]),
    }


def test_unrelated_faces_are_no_duplicates(write, unrelated):
    report = check(write(unrelated))
    assert set(report.copies) == {
        "train",
        "validation",
        "test",
        "validation in train",
        "test in train",
        "test in validation",
    }
    assert {counts(found) for found in report.copies.values()} == {NONE}
    assert counts(report.different_labels) == NONE
    assert (report.blank, report.leaked, report.exit_code) == (0, 0, 0)


def test_planted_duplicates_are_found_and_nothing_else(write, planted):
    report = check(write(planted, max_corrupt=0.1))
    assert {where: counts(found) for where, found in report.copies.items()} == {
        "train": (2, 2, 2, 2),
        "validation": NONE,
        "validation in train": (0, 0, 1, 1),
        "test": (0, 0, 1, 1),
        "test in train": (2, 3, 2, 3),
        "test in validation": NONE,
    }
    assert counts(report.different_labels) == (3, 2, 5, 3)
    assert report.different_groups == 1
    assert (report.leaked, report.exit_code) == (2, 1)


def test_the_json_names_the_pairs(write, planted):
    text = json.dumps(check(write(planted, max_corrupt=0.1)).to_json(), allow_nan=False)
    found = json.loads(text)
    assert found["faces"] == {"train": 22, "validation": 11, "test": 13}
    assert [entry["name"] for entry in found["corrupt"]] == ["train/sad/broken.png"]
    assert found["corrupt"][0]["reason"].startswith("not an image in a format that is read")
    assert (found["near"], found["leaked"]) == (0.98, 2)
    leaks = found["copies"]["test in train"]["listed"]
    assert {tuple(pair["names"]) for pair in leaks} == {
        ("train/happy/01.png", "test/happy/leak.png"),
        ("train/happy/03.png", "test/sad/again.png"),
        ("train/sad/other.png", "test/sad/again.png"),
    }
    assert all(pair["exact"] and pair["correlation"] == 1 for pair in leaks)
    (bright,) = found["copies"]["validation in train"]["listed"]
    assert bright["names"] == ["train/happy/02.png", "validation/happy/bright.png"]
    assert bright["splits"] == ["train", "validation"]
    assert not bright["exact"]
    assert 0.98 <= bright["correlation"] <= 1
    different = {tuple(p["names"]): p["labels"] for p in found["different_labels"]["listed"]}
    assert different == {
        ("train/happy/03.png", "train/sad/other.png"): ["happiness", "sadness"],
        ("train/happy/03.png", "test/sad/again.png"): ["happiness", "sadness"],
        ("test/happy/30.png", "test/sad/jpeg.jpg"): ["happiness", "sadness"],
    }


def test_near_duplicates_of_test_faces_alone_do_not_fail_the_check(write, unrelated):
    near = (next(iter(unrelated.values())) * 0.9).astype(np.uint8)
    report = check(write(unrelated | {"test/happy/near.png": near}))
    assert counts(report.copies["test in train"]) == (0, 0, 1, 1)
    assert report.exit_code == 0


def test_counts_are_those_of_comparing_every_pair_by_hand(write, tiny_faces):
    generator = np.random.default_rng(5)
    originals = tiny_faces(25, seed=5)
    faces = originals[generator.integers(0, 25, 90)].astype(int)
    altered = generator.random(90) < 0.5
    faces[altered] += generator.integers(-12, 13, (altered.sum(), 48, 48))
    faces = np.clip(faces, 0, 255).astype(np.uint8)
    splits = np.sort(generator.integers(0, 3, 90))
    labels = generator.integers(0, 2, 90)
    order = np.lexsort((np.arange(90), labels, splits))
    names = np.array(["train", "validation", "test"])
    images = {
        f"{names[splits[n]]}/{('happy', 'sad')[labels[n]]}/{n:02d}.png": faces[n] for n in order
    }
    report = check(write(images))

    expected = {where: [set(), 0, set(), 0] for where in report.copies}
    likeness = np.corrcoef(faces.reshape(90, 8, 6, 8, 6).mean(axis=(2, 4)).reshape(90, 64))
    for one, other in itertools.combinations(order, 2):
        first, second = names[splits[one]], names[splits[other]]
        entry = expected[second if first == second else f"{second} in {first}"]
        if np.array_equal(faces[one], faces[other]):
            entry[0].add(other)
            entry[1] += 1
        if likeness[one, other] >= 0.98:
            entry[2].add(other)
            entry[3] += 1
    found = {where: counts(copies) for where, copies in report.copies.items()}
    assert found == {
        where: (len(exact), exact_pairs, len(near), near_pairs)
        for where, (exact, exact_pairs, near, near_pairs) in expected.items()
    }
    assert sum(row[1] for row in found.values()) > 10
    assert sum(row[3] - row[1] for row in found.values()) > 10


def test_faces_without_contrast_have_exact_duplicates_only(write, unrelated):
    black, grey = np.zeros((48, 48), np.uint8), np.full((48, 48), 128, np.uint8)
    report = check(
        write(
            unrelated
            | {"train/happy/black.png": black, "train/sad/black.png": black}
            | {"train/sad/grey.png": grey, "test/sad/black.png": black}
        )
    )
    assert report.blank == 4
    assert "train/sad/grey.png" in report.blank_listed
    assert counts(report.copies["train"]) == (1, 1, 1, 1)
    assert counts(report.copies["test in train"]) == (1, 2, 1, 2)
    assert counts(report.different_labels) == (3, 2, 3, 2)
    assert {pair.correlation for pair in report.copies["test in train"].listed} == {None}
    assert report.exit_code == 1


def test_lists_end_where_they_say_but_totals_are_whole(write, unrelated, monkeypatch):
    face = next(iter(unrelated.values()))
    near = {f"train/happy/a{n}.png": (face * (0.7 + n / 20)).astype(np.uint8) for n in range(3)}
    exact = {f"train/happy/b{n}.png": face for n in range(2)}
    monkeypatch.setattr(checking, "LISTED", 4)
    report = check(write(unrelated | near | exact))
    found = report.copies["train"]
    assert counts(found) == (2, 3, 5, 15)
    assert [pair.exact for pair in found.listed] == [True, True, True, False]
    assert report.to_json()["listed_at_most"] == 4


def test_colour_faces_of_equal_grey_are_not_exact_duplicates(write, unrelated):
    coloured = {name: np.stack([face] * 3, axis=2) for name, face in unrelated.items()}
    swapped = next(iter(unrelated.values()))[..., None] // (1, 2, 4)
    coloured |= {"train/happy/a.png": swapped.astype(np.uint8)}
    coloured |= {"test/happy/a.png": swapped[..., ::-1].astype(np.uint8)}
    report = check(write(coloured, channels=3))
    assert report.copies["test in train"].exact_faces == 0
    # a.png is near both the grey image that it was made of and its swapped colours
    assert counts(report.copies["test in train"]) == (0, 0, 1, 2)
    assert counts(report.copies["train"]) == (0, 0, 1, 1)


def test_without_a_test_split_there_is_nothing_to_leak(write, unrelated):
    images = {name: face for name, face in unrelated.items() if name.startswith("train/")}
    images["train/sad/twin.png"] = images["train/happy/00.png"]
    report = check(write(images, test_fraction=0.0, validation_fraction=0.0))
    assert set(report.copies) == {"train"}
    assert counts(report.copies["train"]) == (1, 1, 1, 1)
    assert report.exit_code == 0


def test_the_table_cuts_nothing_at_80_columns(write, planted):
    dataset = write(planted, max_corrupt=0.1)
    report = check(dataset)
    name = "train/sad/" + "very-long-name-" * 8 + "\udcff\x1b[2J.png"
    big = dataclasses.replace(report.copies["train"], exact_pairs=644_012_345, near_pairs=10**9)
    report = dataclasses.replace(
        report,
        dataset=dataclasses.replace(
            dataset, corrupt=(UnreadableImage(name, "[bold]truncated"),) * 7
        ),
        copies=report.copies | {"train": big},
    )
    text = as_text(report.table())
    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026" not in text
    assert "644,012,345" in text
    assert "1,000,000,000" in text
    whole = "".join(line.strip() for line in text.splitlines())
    assert "very-long-name-" * 8 + "\\udcff\\x1b[2J.png: [bold]truncated" in whole
    assert "and 2 more" in text
    assert "2 of 13 test faces have an exact duplicate in train" in text


def test_the_command_prints_writes_and_returns_the_exit_code(
    write, planted, tmp_path, monkeypatch, capsys, data_config
):
    write(planted, max_corrupt=0.1)
    config = data_config(tmp_path / "own", max_corrupt=0.1)
    monkeypatch.chdir(tmp_path)
    assert commands.check(config, None) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "report: data-check.json"
    assert "test in train" in out
    assert json.loads((tmp_path / "data-check.json").read_text())["leaked"] == 2
    elsewhere = tmp_path / "reports" / "mine.json"
    assert commands.check(config, elsewhere) == 1
    assert json.loads(elsewhere.read_text())["leaked"] == 2
    assert [path.name for path in elsewhere.parent.iterdir()] == ["mine.json"]
    with pytest.raises(InputError, match="cannot be written"):
        commands.check(config, tmp_path)


def test_the_command_reports_more_unreadable_images_than_training_lets_pass(
    write, planted, tmp_path, data_config
):
    broken = {f"train/sad/bad{n}.png": b"nothing" for n in range(30)}
    write(planted | broken, max_corrupt=1.0)
    commands.check(data_config(tmp_path / "own", max_corrupt=0.0), tmp_path / "out.json")
    assert len(json.loads((tmp_path / "out.json").read_text())["corrupt"]) == 31


def test_the_download_command_says_what_is_there(tmp_path, monkeypatch, capsys):
    place = tmp_path / "fer2013"
    place.mkdir()
    rows = {"Training": 3, "PublicTest": 2, "PrivateTest": 1}
    lines = [f"0,1 2,{usage}" for usage, count in rows.items() for _ in range(count)]
    (place / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    asked = []
    monkeypatch.setattr(commands, "download_fer2013", lambda into: asked.append(into) or place)
    with pytest.raises(InputError, match="rows, not"):
        commands.download()
    monkeypatch.setattr("emotion_detection.data.download.ROWS", rows)
    monkeypatch.setattr(commands, "ROWS", rows)
    capsys.readouterr()
    assert commands.download() == 0
    assert asked == [commands.DATA] * 2
    out = capsys.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()[-4:]] == [
        ["train", "3"],
        ["validation", "2"],
        ["test", "1"],
        ["FER+", "votes"],
    ]
    assert "not there" in out
