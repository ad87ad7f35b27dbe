import errno
import os
import resource
import shutil
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.config import TrainConfig
from emotion_detection.data import cache, cache_folder, load, pixel_store, stored_arrays
from emotion_detection.data.source import Face, Source
from emotion_detection.errors import InputError


@pytest.fixture
def place(tmp_path, tiny_set, write_folders):
    return write_folders(tmp_path / "own", *tiny_set)


def forbid_decoding(monkeypatch):
    def decode(*_):
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(pixel_store, "decode", decode)


def unfinished(folder):
    """Return what looks like a dataset, or a part of one, in a cache."""
    return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).exists() else []


def test_a_second_start_decodes_nothing_and_gives_the_same(place, data_config, monkeypatch):
    first = load(data_config(place))
    forbid_decoding(monkeypatch)
    second = load(data_config(place))
    assert second == first
    np.testing.assert_array_equal(second.split("test").images, first.split("test").images)


def test_a_training_of_another_recipe_decodes_nothing_again(place, data_config, monkeypatch):
    config = data_config(place)
    before = load(config)
    forbid_decoding(monkeypatch)
    values = {name: getattr(config, name) for name in config.__dataclass_fields__}
    again = load(TrainConfig(**values, seed=7, epochs=3, learning_rate=0.1))
    assert again.folder == before.folder


def test_images_are_mapped_not_read(place, data_config):
    faces = load(data_config(place)).split("train")
    for array in (faces.images, faces.digests, faces.thumbnails):
        assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        faces.images[0] = 0


def test_kept_rows_are_those_faces_alone(place, data_config):
    faces = load(data_config(place)).split("train")
    some = faces.keep(np.array([5, 2])).keep(np.array([1]))
    np.testing.assert_array_equal(some.images[0], faces.images[2])
    assert some.names == [faces.names[2]]
    assert len(some) == 1


def test_a_changed_file_is_decoded_again(place, data_config, tiny_faces, png):
    before = load(data_config(place))
    image = place / "train" / "angry" / "Training_00000.png"
    face = tiny_faces(1, seed=9)[0]
    image.write_bytes(png(face))
    after = load(data_config(place))
    assert after.folder != before.folder
    assert after.hash != before.hash
    np.testing.assert_array_equal(after.split("train").images[0, 0], face)


def test_a_touched_a_new_and_a_missing_file_change_the_key(place, data_config):
    folders = [load(data_config(place)).folder]
    image = place / "train" / "angry" / "Training_00000.png"
    os.utime(image, (1, 1))
    folders.append(load(data_config(place)).folder)
    shutil.copy(image, image.with_name("Training_00050.png"))
    folders.append(load(data_config(place)).folder)
    image.unlink()
    folders.append(load(data_config(place)).folder)
    assert len(set(folders)) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"size": 32},
        {"channels": 3},
        {"split_seed": 1},
        {"validation_fraction": 0.2},
        {"test_fraction": 0.2},
    ],
)
def test_options_that_shape_the_arrays_change_the_key(options, place, data_config):
    plain, other = load(data_config(place)), load(data_config(place, **options))
    assert other.folder != plain.folder


def test_a_build_that_fails_leaves_nothing(place, data_config, monkeypatch, tmp_path):
    def fail(*_):
        raise KeyboardInterrupt

    for step in ("_write_labels", "_write_meta"):
        with monkeypatch.context() as patch:
            patch.setattr(cache, step, fail)
            with pytest.raises(KeyboardInterrupt):
                load(data_config(place))
        assert unfinished(tmp_path / "cache") == []


KILLED = """
import os, sys
from emotion_detection.config import DataConfig
from emotion_detection.data import cache, load, pixel_store
write = cache.write_json
def die(path, value):
    write(path, value)
    if path.name == sys.argv[3]:
        os._exit(9)
cache.write_json = pixel_store.write_json = die
load(DataConfig(data=sys.argv[1], cache=sys.argv[2]))
"""


@pytest.mark.parametrize("moment", ["names.json", "meta.json"])
def test_a_killed_build_leaves_nothing_that_looks_finished(moment, place, data_config, tmp_path):
    cache_folder = tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(place), str(cache_folder), moment]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    left = unfinished(cache_folder)
    assert len(left) == 1
    assert ".tmp-" in left[0]
    dataset = load(data_config(place))
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}
    assert unfinished(cache_folder) == sorted([dataset.pixels.name, left[0]])
    # what was left is removed when it is old
    os.utime(cache_folder / left[0], (1, 1))
    other = load(data_config(place, size=32))
    assert unfinished(cache_folder) == sorted([dataset.pixels.name, other.pixels.name])


@pytest.mark.parametrize("part", ["folder", "pixels"])
def test_a_half_deleted_dataset_is_built_again(part, place, data_config):
    dataset = load(data_config(place))
    folder = getattr(dataset, part)
    (folder / "meta.json").unlink()
    for path in (folder / "train" / "labels.npy", folder / "images.npy"):
        path.unlink(missing_ok=True)
    again = load(data_config(place))
    assert len(again.split("train").images) == 28
    assert again == dataset


def test_two_starts_at_once_both_end_with_the_whole_dataset(place, data_config, tmp_path):
    code = (
        "import sys; from emotion_detection.config import DataConfig;"
        "from emotion_detection.data import load;"
        "d = load(DataConfig(data=sys.argv[1], cache=sys.argv[2]));"
        "print(d.hash, len(d.split('train')))"
    )
    command = [sys.executable, "-c", code, str(place), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert said == {f"{load(data_config(place)).hash} 28\n"}
    assert len(unfinished(tmp_path / "cache")) == 1


def test_threads_of_one_process_do_not_disturb_each_other(place, data_config, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        datasets = list(pool.map(lambda _: load(data_config(place)), range(4)))
    assert len({dataset.hash for dataset in datasets}) == 1
    assert unfinished(tmp_path / "cache") == [datasets[0].pixels.name]


def test_the_loser_of_a_race_takes_the_winners_dataset(place, data_config, monkeypatch):
    write = cache._write_labels
    config = data_config(place)

    def write_while_another_finishes(*arguments):
        monkeypatch.setattr(cache, "_write_labels", write)
        load(config)
        return write(*arguments)

    monkeypatch.setattr(cache, "_write_labels", write_while_another_finishes)
    dataset = load(config)
    assert unfinished(config.cache) == [dataset.pixels.name]
    assert unfinished(dataset.folder.parent) == [dataset.folder.name]


def test_a_cache_that_cannot_be_written_says_where_and_what_to_do(place, data_config, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError) as caught:
        load(data_config(place, cache=str(tmp_path / "file" / "cache")))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'file' / 'cache'}: the decoded faces cannot be kept")
    assert message.endswith("choose another folder with --cache")
    assert "\n" not in message


def test_a_disk_that_takes_no_more_is_an_input_error_without_leftovers(
    place, data_config, tmp_path
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(InputError, match="the decoded faces cannot be kept there: File too"):
            load(data_config(place))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert unfinished(tmp_path / "cache") == []


def test_a_disk_that_fills_at_the_last_moment_leaves_nothing(
    place, data_config, tmp_path, monkeypatch
):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device; free space there"):
        load(data_config(place))
    assert unfinished(tmp_path / "cache") == []


def test_no_array_is_written_through_a_memory_map(place, data_config, monkeypatch):
    # a full disk under a written map kills the process
    def refuse(*_, **__):
        raise AssertionError("written through a map")

    monkeypatch.setattr(np.lib.format, "open_memmap", refuse)
    assert load(data_config(place)).sizes["train"] == 28


def test_training_opens_nothing_of_the_test_split(place, data_config):
    folder = load(data_config(place)).folder
    shutil.rmtree(folder / "test")
    dataset = load(data_config(place))
    train = dataset.split("train")
    assert train.images.shape == (28, 1, 48, 48)
    assert len(train.names) == 28
    assert len(dataset.split("validation")) == 7
    with pytest.raises(InputError, match=r"test.rows\.npy: is damaged .*No such file"):
        dataset.split("test")


def test_more_faces_than_fit_in_memory_are_streamed(tmp_path, data_config, monkeypatch):
    monkeypatch.setattr(pixel_store, "_BATCH", 32)
    monkeypatch.setattr(stored_arrays, "_COPY_ROWS", 32)
    count, size = 1000, 64

    def read():
        generator = np.random.default_rng(0)
        for row in range(count):
            face = generator.integers(0, 256, (size, size)).astype(np.uint8)
            split = ("train", "validation", "test")[row % 3]
            yield Face(str(row), face, row % 2, split)

    source = Source("made up", (), ("one", "other"), read, "own", count)
    tracemalloc.start()
    try:
        dataset = cache.open_cached(source, data_config(tmp_path, size=size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(dataset.sizes.values()) == count
    assert peak < count * size * size / 2


def entries(folder):
    """Return the names of the datasets in a cache."""
    return {path.name for path in Path(folder).iterdir() if (path / "meta.json").exists()}


def test_a_dataset_whose_files_changed_replaces_the_older_one(place, data_config, tmp_path):
    load(data_config(place))
    other = load(data_config(place, size=32)).pixels.name
    shutil.copy(
        place / "train" / "angry" / "Training_00000.png",
        place / "train" / "angry" / "Training_00050.png",
    )
    after = load(data_config(place)).pixels.name
    assert entries(tmp_path / "cache") == {after, other}


def test_the_least_recently_used_is_removed_above_the_limit(place, data_config, tmp_path):
    names = {size: load(data_config(place, size=size)).pixels.name for size in (24, 32, 40)}
    for age, size in enumerate((24, 40, 32)):
        os.utime(tmp_path / "cache" / names[size] / "used", (1e9 - age, 1e9 - age))
    taken = sum(
        path.stat().st_size
        for size in (24, 16)
        for path in (tmp_path / "cache" / names.get(size, names[24])).rglob("*")
    )
    newest = load(data_config(place, size=16, cache_limit=taken / 1e9)).pixels.name
    assert entries(tmp_path / "cache") == {names[24], newest}


def test_a_dataset_in_use_stays(place, data_config, tmp_path):
    used = load(data_config(place))
    forgotten = load(data_config(place, size=32)).pixels.name
    newest = load(data_config(place, size=16, cache_limit=0))
    assert entries(tmp_path / "cache") == {used.pixels.name, newest.pixels.name}
    assert forgotten not in entries(tmp_path / "cache")
    assert len(used.split("test").names) == 7


def test_where_the_cache_is(monkeypatch, tmp_path):
    assert cache_folder.find_cache_folder("here") == Path("here")
    monkeypatch.setenv("EMOTION_CACHE", str(tmp_path))
    assert cache_folder.find_cache_folder("auto") == tmp_path
    monkeypatch.delenv("EMOTION_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder.find_cache_folder("auto") == Path("/caches/emotion-detection")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_folder.find_cache_folder("auto") == Path("/home/ann/.cache/emotion-detection")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder.find_cache_folder("auto") == Path(
        "/home/ann/Library/Caches/emotion-detection"
    )


def test_a_limit_below_nothing_is_refused(place, data_config):
    with pytest.raises(InputError, match="--cache_limit -1"):
        data_config(place, cache_limit=-1)


def test_a_dataset_is_measured_while_another_process_removes_parts_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_bytes(bytes(7))
    (tmp_path / "labels.tmp-1").mkdir()
    (tmp_path / "labels.tmp-1" / "gone").write_bytes(bytes(5))
    scan = os.scandir

    def scan_after_removal(folder: Any) -> Any:
        if not isinstance(folder, int) and ".tmp-" in os.fspath(folder):  # rmtree scans by number
            shutil.rmtree(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scan_after_removal)
    assert cache_folder._size(tmp_path) == 7
