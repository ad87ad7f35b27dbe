"""One store of pixels for all label sets: decoded once, and the same as if read alone."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.config import TrainConfig
from emotion_detection.data import Dataset, cache_folder, load, pixel_store
from emotion_detection.data.cache import open_cached
from emotion_detection.data.locate import find
from emotion_detection.data.source import Face, Source
from emotion_detection.errors import InputError
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS
from emotion_detection.training.setup import prepare

SHAPES = ["csv", "icml csv", "parquet", "parquet without names", "folders"]
WAYS: dict[str, dict[str, Any]] = {
    "own labels": {},
    "votes": {"labels": "ferplus"},
    "majority": {"labels": "ferplus", "votes": "majority"},
    "chosen": {"classes": ["happy", "sad"]},
    "renamed": {"rename": ["fear=surprise"]},
    "chosen votes": {"labels": "ferplus", "classes": ["happy", "sad", "angry"]},
    "fold": {"folds": 3, "fold": 2},
}
RESIZED = {"size": 32, "channels": 3}

HASHES = {
    "own labels": "3c4774eef3d0e91a",
    "votes": "3ccecc12897b043c",
    "majority": "5c22a8a30f91a768",
    "chosen": "0d29061f28aaac3b",
    "renamed": "9ca5df9bae28a601",
    "chosen votes": "9427a63405a766c1",
    "fold": "fce30406a9b7be1b",
}
"""How the hashes begin that an earlier version, which kept pixels with each label set, gave."""

NOBODY = (3, 10, 30)
"""Faces in which most raters saw no face."""


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_set: Any,
    write_csv: Any,
    write_icml_csv: Any,
    write_parquet: Any,
    write_folders: Any,
    write_votes: Any,
) -> dict[str, Path]:
    """The tiny faces in every shape, with votes beside them."""
    root = tmp_path_factory.mktemp("shapes")
    found = {shape: root / shape.replace(" ", "-") for shape in [*SHAPES, "corrupt"]}
    write_csv(found["csv"], *tiny_set)
    write_icml_csv(found["icml csv"], *tiny_set)
    write_parquet(found["parquet"], *tiny_set)
    write_parquet(found["parquet without names"], *tiny_set, names=None)
    write_folders(found["folders"], *tiny_set)
    write_folders(found["corrupt"], *tiny_set)
    for file in ("train/happy/Training_00003.png", "test/sad/PrivateTest_00039.png"):
        (found["corrupt"] / file).write_bytes(b"no image")
    counts, rows = np.zeros((42, 10), int), np.arange(42)
    counts[rows, rows % 8], counts[rows, (rows + 1) % 8] = 7, 3
    counts[list(NOBODY)] = 0
    counts[list(NOBODY), FERPLUS_COLUMNS.index("NF")] = 10
    for place in found.values():
        write_votes(place, counts, tiny_set.usages)
    return found


@contextmanager
def counted_decodes() -> Iterator[list[object]]:
    """Count the images that are decoded, and the starts of reading a source."""
    decode, read, calls = pixel_store.decode, pixel_store.Decoder.decode_faces, []

    def count(content: Any) -> Any:
        calls.append("image")
        return decode(content)

    def count_reading(decoder: Any) -> Any:
        calls.append("source")
        return read(decoder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixel_store, "decode", count)
        patch.setattr(pixel_store.Decoder, "decode_faces", count_reading)
        yield calls


def contents(dataset: Dataset) -> dict[str, Any]:
    """Return all that a dataset tells its users, but for the folders."""
    told: dict[str, Any] = {
        **dataset.record(),
        "corrupt": dataset.corrupt,
        "drawn": dataset.drawn,
        "too_few": dataset.too_few,
    }
    for split in (name for name, size in dataset.sizes.items() if size):
        faces = dataset.split(split)
        arrays = ("images", "reference_images", "digests", "thumbnails", "labels")
        optional = ("targets", "intensity", "shares")
        told[split] = {
            "names": list(faces.names),
            "miniatures": faces.fingerprints.miniatures.tolist(),
            **{name: getattr(faces, name).tolist() for name in arrays},
            **{name: _plain(getattr(faces, name)) for name in optional},
        }
    return told


def _plain(values: np.ndarray | None) -> list[Any] | None:
    return None if values is None else np.nan_to_num(values, nan=-1).tolist()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [("ferplus", "fer2013"), ("fer2013", "ferplus")])
def test_two_label_sets_decode_each_image_once(
    shape: str, order: tuple[str, str], places: dict[str, Path], data_config: Any, tmp_path: Path
) -> None:
    with counted_decodes() as calls:
        first = load(data_config(places[shape], labels=order[0]))
        before = size_of(tmp_path / "cache")
        second = load(data_config(places[shape], labels=order[1]))
    assert (calls.count("image"), calls.count("source")) == (42, 1)
    assert second.pixels == first.pixels
    assert second.folder != first.folder
    assert len(list((tmp_path / "cache").rglob("images.npy"))) == 1
    # pixels alone are 42 * 2,304 bytes
    assert before > 42 * 2304
    assert size_of(tmp_path / "cache") - before < 42 * 2304 / 4


@pytest.mark.parametrize(
    ("shape", "first", "second", "options"),
    [
        ("csv", "own labels", "votes", {}),
        ("csv", "chosen votes", "own labels", RESIZED),
        ("icml csv", "votes", "own labels", {}),
        ("icml csv", "renamed", "chosen", {}),
        ("parquet", "votes", "own labels", RESIZED),
        ("parquet", "fold", "majority", {}),
        ("parquet without names", "own labels", "votes", {}),
        ("parquet without names", "chosen", "fold", RESIZED),
        ("folders", "votes", "own labels", {}),
        ("folders", "own labels", "chosen votes", {}),
        ("corrupt", "own labels", "chosen votes", {}),
        ("corrupt", "chosen", "own labels", RESIZED),
        ("corrupt", "majority", "fold", {}),
    ],
)
def test_a_second_label_set_is_what_it_would_be_alone(
    shape: str,
    first: str,
    second: str,
    options: dict[str, Any],
    places: dict[str, Path],
    data_config: Any,
    tmp_path: Path,
) -> None:
    def read(cache: str, way: str) -> Dataset:
        usual = {"cache": str(tmp_path / cache), "max_corrupt": 0.2}
        return load(data_config(places[shape], **usual, **WAYS[way], **options))

    read("shared", first)
    with counted_decodes() as calls:
        shared = read("shared", second)
    assert calls == []
    assert contents(shared) == contents(read("alone", second))


def test_the_hashes_of_earlier_versions_stay(places: dict[str, Path], data_config: Any) -> None:
    # provenance.json and metrics.json of older runs hold them
    hashes = {
        way: load(data_config(places["parquet"], **WAYS[way])).hash[:16] for way in sorted(WAYS)
    }
    assert hashes == HASHES


@pytest.mark.parametrize("size", [48, 24])
def test_scattered_rows_give_the_same_faces(
    size: int, places: dict[str, Path], data_config: Any, tiny_set: Any
) -> None:
    load(data_config(places["csv"], labels="ferplus", size=size))
    faces = load(data_config(places["csv"], size=size)).split("train")
    alone = load(data_config(places["icml csv"], size=size)).split("train")
    assert isinstance(alone.images, np.memmap)
    assert not isinstance(faces.images, np.memmap)  # two faces without votes lie behind the others
    rows = np.array([10, 3, 27])
    for array in (faces.images[rows], faces.draw(rows), faces.pixels[rows]):
        np.testing.assert_array_equal(array, alone.images[rows])
    np.testing.assert_array_equal(faces.pixels[2:5], alone.images[2:5])
    assert faces.pixels.shape == alone.images.shape
    np.testing.assert_array_equal(faces.reference_images, alone.reference_images)
    np.testing.assert_array_equal(faces.reference_images, tiny_set.faces[:28])


def test_training_with_both_and_an_exclude_file_decodes_once(
    places: dict[str, Path], tmp_path: Path
) -> None:
    left_out = tmp_path / "exclude.txt"
    left_out.write_text("Training_00005.png\nPublicTest_00029.png\n")
    config = TrainConfig(
        data=str(places["folders"]),
        cache=str(tmp_path / "cache"),
        labels="ferplus",
        extra_labels="fer2013",
        exclude=str(left_out),
        rename=[],
    )
    with counted_decodes() as calls:
        ready = prepare(config)
        # and a test of it by the other labels, as 'emotion test --labels fer2013' reads them
        load(replace(config, labels="fer2013", extra_labels=None))
    assert (calls.count("image"), calls.count("source")) == (42, 1)
    train = ready.faces["train"]
    assert len(train) == 27
    names = [Path(name).name for name in train.names]
    assert "Training_00005.png" not in names
    rows = [int(name[9:14]) for name in names]
    assert train.also["fer2013"].tolist() == [
        load(replace(config, labels="fer2013", extra_labels=None)).split("train").labels[row]
        for row in rows
    ]
    voted = [-1 if row in NOBODY else row % 8 for row in rows]
    mapped = [-1 if row < 0 else FERPLUS.index(FERPLUS_COLUMNS[row]) for row in voted]
    assert train.labels.tolist() == mapped


def test_label_sets_that_are_made_at_once_do_not_disturb_each_other(
    places: dict[str, Path], data_config: Any, tmp_path: Path
) -> None:
    ways = list(WAYS.values())
    with ThreadPoolExecutor(len(ways)) as pool:
        datasets = list(pool.map(lambda way: load(data_config(places["csv"], **way)), ways))
    alone = {str(way): load(data_config(places["icml csv"], **way)) for way in ways}
    for way, dataset in zip(ways, datasets, strict=True):
        told, expected = contents(dataset), contents(alone[str(way)])
        for one in (told, expected):
            one.pop("source"), one.pop("kind")
        assert told == expected
    (stored,) = {dataset.pixels for dataset in datasets}
    assert {path.name for path in (stored / "labels").iterdir()} == {
        dataset.folder.name for dataset in datasets
    }
    assert not list((tmp_path / "cache").rglob("*.tmp-*"))


def test_other_votes_replace_the_older_ones_but_not_those_in_use(
    tmp_path: Path, tiny_set: Any, write_csv: Any, write_votes: Any, data_config: Any
) -> None:
    write_csv(tmp_path / "fer", *tiny_set)
    config = data_config(tmp_path / "fer", labels="ferplus")
    folders = []
    for first in (7, 8, 9):
        counts = np.zeros((42, 10), int)
        counts[:, 0], counts[:, 1] = first, 10 - first
        write_votes(tmp_path / "fer", counts, tiny_set.usages)
        dataset = load(config)
        folders.append(dataset.folder)
        if first == 8:
            used = dataset
    assert [folder.exists() for folder in folders] == [False, True, True]
    assert used.split("test").shares[0, FERPLUS.index("neutral")] == pytest.approx(0.8)


def earlier_version(cache: Path, data: Path, kind: str = "CSV") -> Path:
    """Write the folder of a dataset as the version before this kept it."""
    options = {"labels": "fer2013", "size": 48, "channels": 1, "split_seed": 0}
    place = json.dumps([str(data), kind, options])
    folder = cache / "0123456789abcdef01234567"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "images.npy").write_bytes(b"pixels")
    (folder / "meta.json").write_text(json.dumps({"place": place, "hash": "1", "sizes": {}}))
    return folder


@pytest.mark.parametrize("case", ["same", "votes", "another place", "in use", "another size"])
def test_caches_of_an_earlier_version_are_replaced_without_a_word(
    case: str,
    places: dict[str, Path],
    data_config: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path if case == "another place" else places["csv"]
    source, _ = find(data_config(places["csv"]))
    kind = f"{source.kind} with FER+ votes" if case == "votes" else source.kind
    old = earlier_version(tmp_path / "cache", data, kind)
    owner = Source("", (), (), lambda: iter(()), "")
    if case == "in use":
        cache_folder.hold(old, owner)
    size = 32 if case == "another size" else 48
    assert load(data_config(places["csv"], size=size)).sizes["train"] == 28
    assert old.exists() == (case in ("another place", "in use", "another size"))
    said = capsys.readouterr().err
    assert not any(word in said for word in ("error", "warning", "damaged", "older", str(old)))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("faces.json", "["),
        ("faces.json", "[" * 100_000),
        ("faces.json", "{}"),
        ("faces.json", '{"row": [0], "label": [0], "left_out": {}}'),
        ("names.json", "[]"),
        ("own_digests.npy", "x"),
        ("images.npy", "x"),
    ],
    ids=range(7),
)
def test_a_damaged_store_is_refused_in_a_line(
    file: str, content: str, places: dict[str, Path], data_config: Any
) -> None:
    store = load(data_config(places["csv"])).pixels
    (store / file).write_text(content)
    with pytest.raises(InputError, match="is damaged") as caught:
        load(data_config(places["csv"], labels="ferplus"))
    assert str(store) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in store.rglob("*.tmp-*")] == []


@pytest.mark.parametrize("row", [42, -1])
def test_rows_beyond_the_pixels_are_refused(
    row: int, places: dict[str, Path], data_config: Any
) -> None:
    path = load(data_config(places["csv"])).folder / "train" / "rows.npy"
    rows = np.load(path)
    rows[0] = row
    np.save(path, rows)
    with pytest.raises(InputError, match="a row beyond the pixels"):
        load(data_config(places["csv"])).split("train")


def test_what_faces_bring_themselves_is_kept_for_other_splits(
    data_config: Callable[..., Any], tiny_faces: Any, tmp_path: Path
) -> None:
    shares = np.eye(3, dtype=np.float32)[[0, 1, 2]] * np.float32(0.7) + np.float32(0.1)

    def read() -> Iterator[Face]:
        for row, face in enumerate(tiny_faces(30)):
            known = row % 5 > 0
            yield Face(
                name=f"{row}.png",
                content=face,
                label=row % 3,
                order=row,
                target=shares[row % 3] if known else None,
                intensity=row / 30 if known else None,
                shares=shares[row % 3] if known else None,
                person=f"S{row // 2}" if row < 20 else None,
                origin="here",
            )

    source = Source("made up", (), ("a", "b", "c"), read, "own", 30)
    open_cached(source, data_config(tmp_path))
    with counted_decodes() as calls:
        shared = open_cached(source, data_config(tmp_path, split_seed=5))
    assert calls == []
    alone = open_cached(source, data_config(tmp_path, split_seed=5, cache=str(tmp_path / "alone")))
    assert contents(shared) == contents(alone)
