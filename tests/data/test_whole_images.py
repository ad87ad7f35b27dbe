"""Whole photographs: noticed, and their faces cut out to the byte as in use."""

import io

import numpy as np
import pytest
from PIL import Image

from emotion_detection.commands.data import run
from emotion_detection.data import load
from emotion_detection.data.source import Face, Source
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.data.whole_images import measure_faces, note_photographs
from emotion_detection.errors import InputError
from emotion_detection.inference.detection import detect_faces
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.inference.model import ModelInput


def photograph(face, place=(60, 80)):
    """Return a drawn face of 128 px in an image of 240 x 320 px."""
    ground = np.full((240, 320, 3), 120, np.uint8)
    row, column = place
    ground[row : row + 128, column : column + 128] = np.asarray(face).reshape(128, 128)[..., None]
    return ground


@pytest.fixture(scope="module")
def drawn():
    return [np.asarray(face).reshape(128, 128) for face in make_synthetic_faces(4, 0, 128).faces]


@pytest.fixture(scope="module")
def photographs(drawn, tmp_path_factory):
    """Return train/happy, train/sad and test/sad of photographs, one of them without a face."""
    root = tmp_path_factory.mktemp("photographs") / "in"
    files = ("train/happy/S1/a.jpg", "train/happy/S1/a.png", "train/sad/b.jpg", "test/sad/c.jpg")
    for file, face in zip(files, drawn, strict=True):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(face)).save(root / file)
    Image.fromarray(np.full((240, 320, 3), 120, np.uint8)).save(root / "train" / "sad" / "none.png")
    return root


@pytest.fixture(scope="module")
def cropped(photographs):
    """Return the same, cut out by the command."""
    out = photographs.parent / "out"
    assert run(["crop", str(photographs), str(out), "--cache", str(out.parent / "cache")]) == 0
    return out


def test_crop_keeps_folders_and_names_and_lists_what_has_no_face(cropped):
    files = sorted(path.relative_to(cropped).as_posix() for path in cropped.rglob("*.png"))
    assert files == [
        "test/sad/c.png",
        "train/happy/S1/a.png",
        "train/happy/S1/a_2.png",
        "train/sad/b.png",
    ]
    listed = (cropped / "left-out.csv").read_text().splitlines()
    assert listed == ["file,reason", "train/sad/none.png,no face was found in it"]
    assert cropped.with_name("out-sheet.png").read_bytes().startswith(b"\x89PNG")


def test_crops_are_predicts_to_the_byte_whichever_way_they_are_made(
    cropped, photographs, data_config
):
    own = load(data_config(cropped))
    on_the_way = load(data_config(photographs, crop="faces", max_corrupt=0.5))
    assert [entry.reason for entry in on_the_way.corrupt] == ["no face was found in it"]
    assert on_the_way.sizes == own.sizes
    detector = FaceDetector()
    for file in ("train/sad/b.jpg", "test/sad/c.jpg"):
        (crop,) = detect_faces(photographs / file, detector, ModelInput(48, 1)).crops
        np.testing.assert_array_equal(pixels_of(on_the_way, file), crop)
        np.testing.assert_array_equal(pixels_of(own, file.replace(".jpg", ".png")), crop)


def pixels_of(dataset, name):
    for split in (split for split, size in dataset.sizes.items() if size):
        faces = dataset.split(split)
        if name in faces.names:
            return faces.images[list(faces.names).index(name), 0]
    raise AssertionError(f"{name} is in no split")


def test_crop_of_a_list_keeps_labels_splits_and_people(drawn, tmp_path):
    rows = ["image,expression,set,subject,intensity"]
    for k, face in enumerate(drawn[:3]):
        Image.fromarray(photograph(face)).save(tmp_path / f"{k}.jpg")
        split = ("training", "training", "test")[k]
        rows.append(f"{k}.jpg,{('happy', 'bored')[k % 2]},{split},S{k},0.{k + 4}")
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "made" / "out"
    words = [str(tmp_path / "faces.csv"), str(out), "--size", "64", "--channels", "3"]
    assert run(["crop", *words, "--cache", str(tmp_path / "cache")]) == 0
    assert (out / "faces.csv").read_text().splitlines() == [
        "file,emotion,split,intensity,person",
        "0.png,happiness,train,0.4,S0",
        "1.png,bored,train,0.5,S1",
        "2.png,happiness,test,0.6,S2",
    ]
    with Image.open(out / "0.png") as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")


def test_crop_never_writes_over_anything(photographs, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already; name a new folder"):
        run(["crop", str(photographs), str(tmp_path)])
    with pytest.raises(InputError, match="name two folders: emotion data crop IN OUT"):
        run(["crop", str(photographs)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_any_face_nothing_is_written(tmp_path):
    for emotion in ("happy", "sad"):
        (tmp_path / "in" / emotion).mkdir(parents=True)
        blank = Image.fromarray(np.full((120, 160, 3), 120, np.uint8))
        blank.save(tmp_path / "in" / emotion / "1.png")
    with pytest.raises(InputError, match="no face was found in any of 2 images"):
        run(["crop", str(tmp_path / "in"), str(tmp_path / "out")])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def own_source(images):
    def content(image):
        out = io.BytesIO()
        Image.fromarray(image).save(out, "PNG")
        return out.getvalue()

    faces = [Face(str(k), content(image), k % 2) for k, image in enumerate(images)]
    return Source("own", (), ("happiness", "sadness"), lambda: iter(faces), "own", len(faces))


def test_photos_are_noticed_and_the_answer_is_kept(drawn, tmp_path, monkeypatch):
    source = own_source([photograph(face) for face in drawn])
    note = note_photographs(source, tmp_path)
    assert note.startswith("these look like uncropped images, not face crops: in 4 of 4 the")
    assert "emotion data crop IN OUT" in note
    monkeypatch.setattr("emotion_detection.data.whole_images.measure_faces", None)
    assert note_photographs(source, tmp_path) == note


def test_cut_out_faces_are_no_photos(drawn, tmp_path):
    assert note_photographs(own_source(drawn), tmp_path) is None
    shares = measure_faces(own_source(drawn))
    assert len(shares) == 4
    assert min(shares) > 0.6


def test_small_images_and_fer2013_are_not_checked(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("emotion_detection.data.whole_images._detector", None)
    small = [face[::2, ::2] for face in drawn]
    assert measure_faces(own_source(small)) == []


def test_loading_photos_reports_it_once(photographs, data_config, capsys):
    config = data_config(photographs)
    load(config)
    load(config)
    assert capsys.readouterr().err.count("uncropped images") == 1
