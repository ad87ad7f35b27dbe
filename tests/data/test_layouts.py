"""Layouts of published datasets, on tiny files in their real formats."""

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data import load
from emotion_detection.data.locate import recognise_format
from emotion_detection.data.source import Unreadable
from emotion_detection.errors import InputError

FACE = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)


@pytest.fixture
def fill(tmp_path):
    """Return a function that writes an image at each path: ``fill("a/1.png", ...)``."""

    def write(*paths):
        for path in paths:
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(FACE).save(place)
        return tmp_path

    return write


def taken(place):
    """Return file name, emotion, split and person of each face, sorted."""
    source = recognise_format(place)
    return sorted(
        (face.name.rpartition("/")[2], source.labels[face.label], face.split, face.person)
        for face in source.read()
    )


RAFDB = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]


def rafdb_list(root, extra=""):
    folder = root / "basic" / "EmoLabel"
    folder.mkdir(parents=True)
    lines = [f"{s}_0000{n}.jpg {n}" for s in ("train", "test") for n in range(1, 8)]
    (folder / "list_patition_label.txt").write_text("\n".join(lines) + extra + "\n")
    return folder / "list_patition_label.txt"


@pytest.mark.parametrize("where", ["", "basic", "basic/EmoLabel/list_patition_label.txt"])
def test_rafdb_by_its_list_file(where, fill):
    root = fill(
        *(
            f"basic/Image/{kind}/{s}_0000{n}{end}.jpg"
            for kind, end in (("aligned", "_aligned"), ("original", ""))
            for s in ("train", "test")
            for n in range(1, 8)
        )
    )
    rafdb_list(root)
    source = recognise_format(root / where)
    assert source.kind == "RAF-DB"
    found = list(source.read())
    assert [source.labels[face.label] for face in found] == RAFDB * 2
    assert [face.split for face in found] == ["train"] * 7 + ["test"] * 7
    assert all(face.content.parent.name == "aligned" for face in found)


def test_a_changed_label_of_a_list_is_noticed(fill, data_config):
    root = fill(*(f"basic/Image/aligned/train_0000{n}_aligned.jpg" for n in range(1, 8)))
    path = rafdb_list(root)
    options = {"max_corrupt": 1.0, "validation_fraction": 0, "test_fraction": 0}
    before = load(data_config(root, **options)).hash
    path.write_text(path.read_text().replace("train_00001.jpg 1", "train_00001.jpg 2\n"))
    assert load(data_config(root, **options)).hash != before


def test_a_bad_line_of_rafdbs_list_counts_as_unreadable(fill):
    root = fill(*(f"basic/Image/aligned/train_0000{n}_aligned.jpg" for n in range(1, 8)))
    rafdb_list(root, "\ntrain_00009.jpg 9")
    last = list(recognise_format(root).read())[-1]
    assert last.name == "list_patition_label.txt line 15"
    assert isinstance(last.content, Unreadable)


def test_rafdb_as_folders_of_numbers(fill):
    root = fill(
        *(
            f"DATASET/{s}/{n}/{s}_0000{n}_aligned.jpg"
            for s in ("train", "test")
            for n in range(1, 8)
        )
    )
    found = {(name[:1] == "t", emotion) for name, emotion, _, _ in taken(root)}
    assert found == {(True, emotion) for emotion in RAFDB}
    source = recognise_format(root)
    first = min(source.read(), key=lambda face: face.name.rpartition("/")[2])
    assert (first.name, source.labels[first.label]) == (
        "test/1/test_00001_aligned.jpg",
        "surprise",
    )


def test_rafdb_as_csv_files_of_numbers(fill):
    root = fill(
        *(f"DATASET/{s}/{s}_0000{n}_aligned.jpg" for s in ("train", "test") for n in range(1, 8))
    )
    for split in ("train", "test"):
        rows = "".join(f"{split}_0000{n}_aligned.jpg,{n}\n" for n in range(1, 8))
        (root / f"{split}_labels.csv").write_text(f"image,label\n{rows}")
    by_name = {name: emotion for name, emotion, _, _ in taken(root)}
    assert by_name["train_00001_aligned.jpg"] == "surprise"
    assert by_name["test_00004_aligned.jpg"] == "happiness"


AFFECTNET = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]


def test_affectnet_as_arrays(fill, capsys):
    root = fill(*(f"{s}/images/{k}.jpg" for s in ("train_set", "val_set") for k in range(9)))
    for split in ("train_set", "val_set"):
        (root / split / "annotations").mkdir()
        for k in range(9):
            # as its authors store them; 8 is "none"
            np.save(root / split / "annotations" / f"{k}_exp.npy", np.array(str(k)))
            np.save(root / split / "annotations" / f"{k}_val.npy", np.array("0.5"))
    found = taken(root)
    assert [emotion for _, emotion, split, _ in found if split == "train"] == AFFECTNET
    assert [emotion for _, emotion, split, _ in found if split == "validation"] == AFFECTNET
    assert "left out: 2 images that show no emotion" in recognise_format(root).notes[0]
    (root / "train_set" / "annotations" / "3_exp.npy").unlink()
    lost = [face for face in recognise_format(root).read() if isinstance(face.content, Unreadable)]
    assert [face.name for face in lost] == ["train_set/images/3.jpg"]
    assert "3_exp.npy cannot be read" in lost[0].content.reason


def test_affectnets_arrays_are_never_unpickled(fill):
    root = fill("train_set/images/0.jpg", "train_set/images/1.jpg", "train_set/images/2.jpg")
    (root / "train_set" / "annotations").mkdir()
    for k in range(2):
        np.save(root / "train_set" / "annotations" / f"{k}_exp.npy", np.array(str(k)))
    hostile = root / "train_set" / "annotations" / "2_exp.npy"
    np.save(hostile, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    last = list(recognise_format(root).read())[-1]
    assert isinstance(last.content, Unreadable)


def test_affectnet_as_csv(fill):
    root = fill(*(f"Manually_Annotated_Images/{k}/a{k}.jpg" for k in range(9)))
    for name, rows in (("training", range(8)), ("validation", range(2, 9))):
        lines = [f"{k}/a{k}.jpg,10,10,100,100,1;2,{k},0.1,0.2" for k in rows]
        header = (
            "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
            "expression,valence,arousal"
        )
        path = root / f"{name}.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
    found = taken(root)
    assert {(name, emotion) for name, emotion, _, _ in found} == {
        (f"a{k}.jpg", AFFECTNET[k]) for k in range(8)
    }
    assert {split for _, _, split, _ in found} == {"train", "validation"}


def test_ckplus_as_published(fill):
    root = fill(
        *(
            f"cohn-kanade-images/{person}/001/{person}_001_0000000{k}.png"
            for person in ("S005", "S010", "S011")
            for k in range(1, 7)
        )
    )
    for person, label in (("S005", 3), ("S010", 7)):
        folder = root / "Emotion" / person / "001"
        folder.mkdir(parents=True)
        (folder / f"{person}_001_00000006_emotion.txt").write_text(f"   {label}.0000000e+00\n")
    # a sequence without an emotion file is left out
    assert taken(root) == [
        ("S005_001_00000001.png", "neutral", None, "S005"),
        *((f"S005_001_0000000{k}.png", "disgust", None, "S005") for k in (4, 5, 6)),
        ("S010_001_00000001.png", "neutral", None, "S010"),
        *((f"S010_001_0000000{k}.png", "surprise", None, "S010") for k in (4, 5, 6)),
    ]


def test_ckplus_with_a_damaged_emotion_file_is_refused(fill):
    root = fill("cohn-kanade-images/S005/001/S005_001_00000001.png")
    folder = root / "Emotion" / "S005" / "001"
    folder.mkdir(parents=True)
    (folder / "S005_001_00000001_emotion.txt").write_text("happy")
    with pytest.raises(InputError, match=r"_emotion\.txt: a number from 0 to 7 is needed"):
        recognise_format(root)


def test_ckplus_of_48_pixels_says_whose_face_it_is(fill):
    root = fill(
        *(
            f"CK+48/{e}/S0{p}_004_0000001{k}.png"
            for e in ("anger", "contempt")
            for p in (10, 11)
            for k in (7, 8)
        )
    )
    source = recognise_format(root)
    assert source.labels == ("anger", "contempt")
    assert {face.person for face in source.read()} == {"S010", "S011"}


@pytest.mark.parametrize("folder", ["KDEF/AF01", "KDEF"])
def test_kdef_by_its_names(folder, fill):
    codes = {
        "AF": "fear",
        "AN": "anger",
        "DI": "disgust",
        "HA": "happiness",
        "NE": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    }
    root = fill(*(f"{folder}/AF01{code}{angle}.JPG" for code in codes for angle in ("S", "HL")))
    assert taken(root) == sorted(
        (f"AF01{code}{angle}.JPG", emotion, None, "F01")
        for code, emotion in codes.items()
        for angle in ("S", "HL")
    )


def test_jaffe_by_its_names_in_tiff(fill, data_config):
    codes = {"AN": "anger", "FE": "fear", "HA": "happiness"}
    root = fill(
        *(f"{p}.{code}{k}.3{k}.tiff" for p in ("KA", "YM") for code in codes for k in (1, 2))
    )
    (root / "README").write_text("The Japanese Female Facial Expression database")
    found = taken(root)
    assert {(name[3:5], emotion) for name, emotion, _, _ in found} == set(codes.items())
    assert {person for *_, person in found} == {"KA", "YM"}
    dataset = load(data_config(root))
    assert dataset.kind == "JAFFE"
    assert dataset.corrupt == ()
    assert sum(dataset.sizes.values()) == 12


def test_names_in_folders_of_emotions_do_not_decide_over_the_folders(fill):
    root = fill("happy/AF01ANS.JPG", "sad/AF01HAS.JPG")
    assert recognise_format(root).labels == ("happiness", "sadness")
