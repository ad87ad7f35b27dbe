import numpy as np
import pytest

from emotion_detection.config import DataConfig
from emotion_detection.data import SPLITS, load
from emotion_detection.data.people import find_people, join_groups
from emotion_detection.data.source import Face
from emotion_detection.errors import InputError


@pytest.mark.parametrize(
    ("rule", "people"),
    [
        (r"S(\d+)", ["01", "01", None]),
        (r"S\d+", ["S01", "S01", None]),
        ("2", ["S01", None, None]),
        ("-1", ["S01", "happy", "sad"]),
        (None, ["ann", "ann", None]),
    ],
)
def test_people_by_pattern_folder_and_column(rule, people):
    names = (("happy/S01/1.png", "ann"), ("happy/S01-2.png", "ann"), ("sad/3.png", None))
    faces = [Face(name, b"", 0, person=person) for name, person in names]
    assert find_people(faces, rule) == people


def test_a_rule_that_fits_no_name_is_refused():
    with pytest.raises(InputError, match=r"--person 4: fits none of the 1 names, such as a/b.png"):
        find_people([Face("a/b.png", b"", 0)], "4")
    with pytest.raises(InputError, match=r"--person \(: no regular expression"):
        DataConfig(person="(")


def test_groups_that_share_a_person_are_one():
    groups = np.array([0, 1, 1, 3, 4, 5])
    joined = join_groups(groups, ["a", "b", "a", None, "c", None])
    assert joined.tolist() == [0, 0, 0, 3, 4, 5]


@pytest.fixture(scope="module")
def faces_of_people(tmp_path_factory, tiny_faces, png):
    """120 faces of 24 people, each happy and sad."""
    root = tmp_path_factory.mktemp("people") / "faces"
    for number, face in enumerate(tiny_faces(120, seed=3)):
        folder = root / ("happy", "sad")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"p{number // 5:02d}_{number}.png").write_bytes(png(face))
    return root


def people_in(dataset):
    return {name: {n.split("/")[1][:3] for n in dataset.split(name).names} for name in SPLITS}


def test_nobody_is_in_two_splits_and_new_images_of_a_person_follow(
    faces_of_people, data_config, tiny_faces, png, capsys
):
    config = data_config(faces_of_people, person="/(p..)_")
    before = people_in(load(config))
    assert sum(map(len, before.values())) == 24
    assert set.union(*before.values()) == {f"p{k:02d}" for k in range(24)}
    assert "split by person: 24 people" in capsys.readouterr().err
    for number in range(24):
        new = tiny_faces(1, seed=500 + number)[0]
        (faces_of_people / "sad" / f"p{number:02d}_new.png").write_bytes(png(new))
    assert people_in(load(config)) == before


def test_each_person_is_in_one_fold_and_all_faces_are_tested_once(faces_of_people, data_config):
    tested = []
    for fold in (1, 2, 3):
        dataset = load(data_config(faces_of_people, person="/(p..)_", folds=3, fold=fold))
        assert sum(dataset.sizes.values()) >= 120
        people = people_in(dataset)
        assert not people["test"] & (people["train"] | people["validation"])
        assert dataset.too_few == ()
        tested += dataset.split("test").names
    assert len(tested) == len(set(tested)) == sum(dataset.sizes.values())


def test_a_given_test_split_stays_out_of_the_folds(tmp_path, tiny_set, write_csv, data_config):
    place = write_csv(tmp_path, *tiny_set)
    tested = []
    for fold in (1, 2):
        dataset = load(data_config(place, folds=2, fold=fold))
        assert sum(dataset.sizes.values()) == 35
        tested += dataset.split("test").names
    assert not [name for name in tested if name.startswith("PrivateTest")]
    assert len(set(tested)) == 35


def test_splits_are_remembered_by_options_and_a_broken_memory_is_no_error(
    tmp_path, tiny_faces, png, data_config, capsys
):
    root = tmp_path / "faces"
    for number, face in enumerate(tiny_faces(40, seed=8)):
        (root / ("happy", "sad")[number % 2]).mkdir(parents=True, exist_ok=True)
        (root / ("happy", "sad")[number % 2] / f"{number}.png").write_bytes(png(face))
    sizes = load(data_config(root)).sizes
    (memory,) = (tmp_path / "cache" / "splits").iterdir()
    load(data_config(root, split_seed=1))
    assert len(list((tmp_path / "cache" / "splits").iterdir())) == 2
    memory.write_bytes(b"no zip file")
    assert load(data_config(root, size=32)).sizes == sizes
    assert "cannot be read, splits are drawn anew" in capsys.readouterr().err


def test_too_few_faces_of_a_class_are_reported(tmp_path, tiny_faces, png, data_config):
    root = tmp_path / "faces"
    faces = tiny_faces(20, seed=8)
    for number, face in enumerate([*faces, *[faces[1]] * 8]):
        folder = root / ("happy" if number < 20 and number != 1 else "sad")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(png(face))
    dataset = load(data_config(root))
    assert dataset.too_few == (
        "sadness has 0 of its 9 faces in the validation split, and at least 1 are needed",
        "sadness has 0 of its 9 faces in the test split, and at least 1 are needed",
    )


def test_a_class_that_earlier_splits_leave_short_says_how_to_go_on(
    tmp_path, tiny_faces, png, data_config
):
    root = tmp_path / "faces"
    faces = iter(tiny_faces(40, seed=18))

    def add(name, count):
        (root / name).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            (root / name / f"{len(list((root / name).iterdir()))}.png").write_bytes(
                png(next(faces))
            )

    add("happy", 20)
    add("sad", 2)
    assert load(data_config(root)).too_few == ()
    add("sad", 1)
    dataset = load(data_config(root))
    assert dataset.too_few == (
        "sadness has 0 of its 3 faces in the validation split, and at least 1 are needed (2 of "
        "them keep the split that they had in earlier data; --split_seed 1 draws all splits anew)",
    )
    assert load(data_config(root, split_seed=1)).too_few == ()
