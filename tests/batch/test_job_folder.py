"""The list, its shards and what is done of them, on disk."""

import errno
import json
import tracemalloc
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job import count_planned, find_missing_videos, iterate_shards
from emotion_detection.batch.job_folder import LARGEST_SHARD, SMALLEST_SHARD, Work, open_work
from emotion_detection.errors import InputError

OPTIONS = {"model": "abc", "--smallest": 24.0}


def _files(count: int) -> list[Entry]:
    return [Entry(f"{number}.jpg") for number in range(count)]


def _open(folder: Path, files: Iterable[Entry], **options: Any) -> Work:
    return open_work(folder / "work", files, {**OPTIONS, **options})


def _finish(work: Work, number: int) -> None:
    for shard in work.shards():
        if shard.number == number:
            with work.writing(shard) as write:
                for entry in shard.entries:
                    write(json.dumps({"source": entry.source, "error": "x"}) + "\n")


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100, 5000, 40000])
def test_every_file_is_in_one_shard_in_order(tmp_path: Path, count: int) -> None:
    files = _files(count)
    work = _open(tmp_path, files)
    shards = list(work.shards())
    assert list(chain.from_iterable(shard.entries for shard in shards)) == files
    assert [shard.number for shard in shards] == list(range(len(shards)))
    sizes = {len(shard.entries) for shard in shards[:-1]}
    assert all(SMALLEST_SHARD <= size <= LARGEST_SHARD for size in sizes)
    assert len(sizes) <= 1
    assert list(work.shards()) == shards


def test_a_video_is_a_shard_of_its_own(tmp_path: Path) -> None:
    files = [Entry("a.mp4", is_video=True), *_files(3), Entry("b.mp4", is_video=True), *_files(2)]
    files.append(Entry("gone", "no such file"))
    work = _open(tmp_path, files)
    assert [len(shard.entries) for shard in work.shards()] == [1, 3, 1, 3]
    assert [shard.is_video for shard in work.shards()] == [True, False, True, False]
    assert count_planned(work) == (6, 0)
    assert [shard.number for shard in find_missing_videos(work)] == [0, 2]


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_all_parts_together_have_each_shard_once(tmp_path: Path, parts: int) -> None:
    work = _open(tmp_path, _files(100))
    shares = [iterate_shards(work, (number, parts)) for number in range(1, parts + 1)]
    numbers = [shard.number for shard in chain(*shares)]
    assert sorted(numbers) == [shard.number for shard in work.shards()]


def test_the_same_work_goes_on(tmp_path: Path) -> None:
    _finish(_open(tmp_path, _files(40)), 1)
    again = _open(tmp_path, iter(_files(40)))
    assert [again.is_done(shard) for shard in again.shards()] == [False, True, False]
    assert count_planned(again) == (40, 16)
    assert [path.name for path in tmp_path.rglob("*.part")] == []


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        (_files(39), {}, "40 files (now 39, or others)"),
        ([*_files(39), Entry("other.jpg")], {}, "40 files (now 40, or others)"),
        (_files(40)[::-1], {}, "40 files (now 40, or others)"),
        (_files(40), {"--smallest": 30.0}, "--smallest 24.0 (now 30.0)"),
        (_files(40), {"model": "def"}, "model abc (now def)"),
        (_files(40), {"--new": 1}, "--new None (now 1)"),
    ],
)
def test_other_work_in_the_folder_is_refused_in_one_line(
    tmp_path: Path, files: list[Entry], options: dict[str, Any], said: str
) -> None:
    _finish(_open(tmp_path, _files(40)), 1)
    with pytest.raises(InputError) as refusal:
        _open(tmp_path, files, **options)
    assert said in str(refusal.value)
    assert "choose another --out" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert count_planned(_open(tmp_path, _files(40))) == (40, 16)  # it did no harm


def test_other_work_of_which_nothing_is_done_is_no_obstacle(tmp_path: Path) -> None:
    _open(tmp_path, _files(40))
    _finish(_open(tmp_path, _files(30), model="def"), 0)
    with pytest.raises(InputError, match="holds unfinished work with model def"):
        _open(tmp_path, _files(40))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"digest": 1}', "not JSON"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    _open(tmp_path, _files(3))
    (tmp_path / "work" / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest.json: cannot be read as .* remove"):
        _open(tmp_path, _files(3))


def test_what_was_done_for_other_work_is_never_taken(tmp_path: Path) -> None:
    _finish(_open(tmp_path, _files(40)), 1)
    (tmp_path / "work" / "manifest.json").unlink()  # as after a kill while it was removed
    assert count_planned(_open(tmp_path, _files(40), model="def")) == (40, 0)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(InputError, match="work: cannot be written"):
        _open(tmp_path, _files(3))


def test_a_shard_is_done_only_once_it_is_whole(tmp_path: Path) -> None:
    work = _open(tmp_path, _files(3))
    (shard,) = work.shards()

    def stopped() -> None:
        with work.writing(shard) as write:
            write('{"source": "0.jpg", "error": "x"}\n')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not work.is_done(shard)
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[0]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:-1], lines[-1][:9]],
        lambda lines: [*lines[:-1], "[]\n"],
        lambda lines: [],
    ],
)
def test_a_damaged_shard_is_found_when_it_is_read(tmp_path: Path, damage: Any) -> None:
    work = _open(tmp_path, _files(3))
    (shard,) = work.shards()
    _finish(work, 0)
    assert [record["source"] for record, _ in work.records(shard)] == ["0.jpg", "1.jpg", "2.jpg"]
    (path,) = tmp_path.rglob("000000.jsonl")
    with path.open() as file:
        lines = file.readlines()
    path.write_text("".join(damage(lines)))
    with pytest.raises(InputError, match=r"000000.jsonl: damaged .* delete it and run again"):
        list(work.records(shard))


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    files = [Entry("new\nline.jpg"), Entry("\udcff.jpg"), Entry("ünï 字.jpg")]
    (shard,) = _open(tmp_path, files).shards()
    assert list(shard.entries) == files


def test_removed_work_leaves_nothing(tmp_path: Path) -> None:
    work = _open(tmp_path, _files(40))
    _finish(work, 0)
    work.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_long_list_takes_no_memory(tmp_path: Path) -> None:
    count = 30_000
    tracemalloc.start()
    try:
        work = _open(tmp_path, (Entry(f"{number:0100d}.jpg") for number in range(count)))
        assert sum(len(shard.entries) for shard in work.shards()) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # the names alone are 3 MB


def test_what_is_not_its_own_stays_when_work_is_removed(tmp_path: Path) -> None:
    work = _open(tmp_path, _files(40))
    _finish(work, 0)
    (shards,) = (tmp_path / "work").glob("shards-*")
    (tmp_path / "thesis").mkdir()
    foreign = {tmp_path / "work" / "photo.jpg", tmp_path / "work" / "mine" / "a.jsonl"}
    foreign |= {shards / "notes.txt", tmp_path / "thesis" / "a.txt"}
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (tmp_path / "work" / "shards-0123456789abcdef").symlink_to(tmp_path / "thesis")
    work.remove()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == foreign


def test_a_shard_on_a_full_disk_is_reported_to_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = _open(tmp_path, _files(3))
    (shard,) = work.shards()

    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        "emotion_detection.batch.job_folder.write_lines_atomic",
        lambda path, part: nullcontext(full),
    )
    with (
        work.writing(shard) as write,
        pytest.raises(InputError, match=r"000000\.jsonl: cannot be written: No space left"),
    ):
        write("{}\n")
