"""Folders: what is taken as splits, classes and people, and what is left out, is said."""

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data import load
from emotion_detection.data import locate as find
from emotion_detection.data.locate import locate_data, recognise_format
from emotion_detection.errors import InputError
from emotion_detection.images.opening import DATASET_FORMATS

FACE = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)


@pytest.fixture
def fill(tmp_path):
    """Return a function that writes an image at each path: ``fill("happy/1.png", ...)``."""

    def write(*paths, form=None):
        for path in paths:
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(FACE).save(place, form or (None if place.suffix else "JPEG"))
        return tmp_path

    return write


def taken(place):
    source = recognise_format(place)
    return sorted((source.labels[f.label], f.split, f.name) for f in source.read())


def splits_of(place):
    return {split for _, split, _ in taken(place)}


@pytest.mark.parametrize(
    "names",
    [
        ("Training", "PublicTest", "PrivateTest"),
        ("training_set", "val_set", "test_set"),
        ("Train", "Evaluation", "Testing"),
    ],
)
def test_splits_by_their_usual_names(names, fill):
    root = fill(*(f"{name}/{emotion}/1.png" for name in names for emotion in ("happy", "sad")))
    assert splits_of(root) == {"train", "validation", "test"}
    note = recognise_format(root).notes[0]
    assert f"splits train{f' ({names[0]})'} 2, validation ({names[1]}) 2" in note
    assert "classes happiness (happy) 3, sadness (sad) 3" in note


def test_a_folder_beside_the_splits_that_is_none_is_refused(fill):
    root = fill("train/happy/1.png", "test/sad/1.png", "holdout/happy/1.png")
    with pytest.raises(InputError, match="test, train are splits, but holdout beside them are not"):
        recognise_format(root)


def test_classes_beside_a_split_are_refused(fill):
    root = fill("happy/1.png", "sad/1.png", "test/happy/2.png")
    with pytest.raises(InputError, match="test are splits, but happy, sad beside them are not"):
        recognise_format(root)


def test_folders_without_images_beside_the_splits_are_no_matter(fill):
    root = fill("train/happy/1.png", "train/sad/1.png", "test/happy/1.png", "test/sad/1.png")
    (root / "annotations").mkdir()
    (root / "annotations" / "1.txt").write_text("1")
    assert (
        "left out: annotations (no images), 1 other file (.txt)" in recognise_format(root).notes[0]
    )


def test_splits_below_the_classes(fill):
    root = fill(*(f"{c}/{s}/1.png" for c in ("happy", "bored") for s in ("train", "val", "test")))
    assert splits_of(root) == {"train", "validation", "test"}
    fill("happy/more/2.png")
    with pytest.raises(InputError, match="are splits, but more beside them are not"):
        recognise_format(root)


def test_a_wrapper_between_split_and_classes_is_passed(fill):
    root = fill(*(f"{s}/images/{c}/1.png" for c in ("happy", "sad") for s in ("train", "test")))
    assert [emotion for emotion, _, _ in taken(root)] == ["happiness"] * 2 + ["sadness"] * 2


@pytest.mark.parametrize("deeper", ["archive", "CK+/CK+48", "images", "a/b/c"])
def test_a_dataset_some_levels_deeper_is_found_and_named(deeper, fill):
    root = fill(f"{deeper}/anger/1.png", f"{deeper}/fear/1.png")
    assert locate_data(root)[1] == root / deeper
    assert recognise_format(root).labels == ("anger", "fear")


def test_a_dataset_deeper_with_splits_is_found(fill):
    root = fill(*(f"FER/{s}/{c}/1.png" for s in ("train", "test") for c in ("happy", "sad")))
    assert splits_of(root) == {"train", "test"}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "download_fer2013", None)
    return tmp_path


@pytest.mark.parametrize("place", ["data", "data/CK+/CK+48", "data/archive/FER", "data/images"])
def test_auto_finds_what_lies_in_data(place, fill, offline, data_config):
    fill(*(f"{place}/{c}/{k}.png" for c in ("anger", "fear") for k in range(3)))
    assert load(data_config("auto")).source == place


def test_auto_takes_people_below_emotions_for_people(fill, offline, data_config, capsys):
    fill(*(f"data/{c}/S0{p}/1.png" for c in ("happy", "angry", "sad") for p in range(3)))
    dataset = load(data_config("auto"))
    assert dataset.source == "data"
    assert dataset.labels == ("anger", "happiness", "sadness")
    assert "3 people (S00, S01, S02, …)" in capsys.readouterr().err


def test_auto_names_the_other_datasets(fill, offline, data_config, capsys):
    fill(*(f"data/{d}/{c}/{k}.png" for d in "ab" for c in ("happy", "sad") for k in range(3)))
    assert load(data_config("auto")).source == "data/a"
    assert "note: also in data/: data/b" in capsys.readouterr().err


def test_folders_of_people_below_classes_say_whose_face_it_is(fill):
    root = fill(*(f"{c}/S0{p}/1.png" for c in ("happy", "bored") for p in range(2)))
    assert sorted(face.person for face in recognise_format(root).read()) == [
        "S00",
        "S00",
        "S01",
        "S01",
    ]


@pytest.mark.parametrize("split", ["", "train/"])
def test_folders_of_people_above_classes_say_whose_face_it_is(split, fill):
    root = fill(*(f"{split}S0{p}/{c}/1.png" for c in ("happy", "sad", "bored") for p in range(2)))
    source = recognise_format(root)
    assert source.labels == ("happiness", "sadness", "bored")
    assert sorted(face.person for face in source.read()) == ["S00"] * 3 + ["S01"] * 3


def test_folds_with_emotions_below_are_datasets_not_people(fill):
    root = fill(*(f"fold{p}/{c}/1.png" for c in ("happy", "sad") for p in range(2)))
    with pytest.raises(InputError, match="several datasets in it"):
        recognise_format(root)


def test_codes_as_classes_are_noticed(fill):
    root = fill(*(f"S{k:03d}/1.png" for k in range(4)))
    assert (
        "no class is a known emotion (S000, S001, S002, …: 4 in all)"
        in recognise_format(root).notes[-1]
    )


def test_numbers_as_classes_are_noticed(fill):
    notes = recognise_format(fill("1/a.png", "2/b.png")).notes
    assert "not known what the classes 1, 2 mean" in notes[-1]


SERVICE = [".cache", "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"]


@pytest.mark.parametrize("name", SERVICE)
def test_service_folders_never_count(name, fill):
    root = fill("happy/1.png", f"happy/{name}/1.png/thumb.jpg", "sad/1.png", f"{name}/2.png")
    assert [name for _, _, name in taken(root)] == ["happy/1.png", "sad/1.png"]
    assert recognise_format(root).labels == ("happiness", "sadness")


@pytest.mark.parametrize(
    "name", ["a.jfif", "a.JPE", "a", "a.bmp", "a.tiff", "a.gif", "a.pgm", "a.webp", "Dr. Who 12"]
)
def test_every_suffix_that_pillow_reads_counts_and_none_too(name, fill, data_config):
    root = fill("happy/1.png", "sad/1.png")
    form = "JPEG" if name.lower().endswith((".jfif", ".jpe")) or "." not in name[2:] else None
    fill(f"happy/{name}", form=form or ("JPEG" if name.startswith("Dr") else None))
    assert ("happiness", None, f"happy/{name}") in taken(root)
    dataset = load(data_config(root))
    assert dataset.corrupt == ()
    assert sum(dataset.sizes.values()) == 3


def test_a_file_without_suffix_that_is_no_image_is_left_out(fill):
    root = fill("happy/1.png", "sad/1.png")
    (root / "happy" / "LICENSE").write_text("MIT")
    assert len(taken(root)) == 2
    assert "left out: 1 other file (LICENSE)" in recognise_format(root).notes[0]


@pytest.mark.parametrize("split", ["", "train/"])
def test_an_empty_class_folder_is_passed_over_and_named(split, fill):
    root = fill(f"{split}happy/1.png", f"{split}sad/1.png")
    (root / split / "contempt").mkdir()
    source = recognise_format(root)
    assert source.labels == ("happiness", "sadness")
    assert f"left out: {split}contempt (no images)" in source.notes[0]


def test_names_that_differ_in_case_are_one_class(fill):
    root = fill("train/Cheerful/1.png", "train/sad/1.png", "test/cheerful/2.png", "test/sad/2.png")
    assert recognise_format(root).labels == ("sadness", "Cheerful")


def test_an_unreadable_csv_and_a_folder_called_csv_beside_classes_are_no_matter(fill):
    root = fill("happy/1.png", "sad/1.png")
    (root / "notes.csv").write_bytes("Name;Notiz\nM\xfcller;sch\xf6n\n".encode("latin-1"))
    (root / "x.csv").mkdir()
    assert len(taken(root)) == 2


def test_loose_images_are_left_out_and_counted(fill):
    root = fill("happy/1.png", "sad/1.png", "me.png", "you.png")
    assert "left out: 2 images outside the classes" in recognise_format(root).notes[0]


def test_emotions_beside_a_dataset_are_refused(fill):
    root = fill("happy/1.png", "sad/1.png", "old/train/happy/1.png")
    with pytest.raises(InputError, match=r"\(happy, sad\) stand beside folders .* \(old\)"):
        recognise_format(root)


def test_every_format_of_datasets_is_one_that_pillow_opens(fill, data_config):
    Image.init()
    assert set(DATASET_FORMATS) <= set(Image.OPEN)
    root = fill(*(f"{c}/{k}.png" for c in ("happy", "sad") for k in range(3)))
    for name in ("1.tif", "2.jp2", "3.heic", "4.jfif", "5.mpo"):
        (root / "happy" / name).write_bytes(b"no image of any kind")
    dataset = load(data_config(root, max_corrupt=0.5))
    assert len(dataset.corrupt) == 5
    reasons = [entry.reason for entry in dataset.corrupt]
    assert all(text.startswith("not an image in a format that is read") for text in reasons)
