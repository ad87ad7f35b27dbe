"""Which files a user's inputs name: each once, in order, whatever lies in the way."""

import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.inference.image_files import list_image_files


def _make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def _walked(*inputs: Path | str, **options: Any) -> tuple[list[str], list[tuple[str, str]]]:
    reports: list[tuple[str, str]] = []
    found = list_image_files(inputs, lambda name, reason: reports.append((name, reason)), **options)
    return [path.as_posix() for path in found], reports


def _names(root: Path) -> list[str]:
    found, reports = _walked(root)
    assert reports == []
    return [Path(path).relative_to(root).as_posix() for path in found]


def test_a_folder_is_walked_sorted_files_before_folders(tmp_path: Path) -> None:
    _make(tmp_path, "b/2.png", "b/10.png", "a/z/1.webp", "a/9.jpeg", "c.jpg", "B.jpg")
    wanted = ["B.jpg", "c.jpg", "a/9.jpeg", "a/z/1.webp", "b/10.png", "b/2.png"]
    assert _names(tmp_path) == wanted
    assert _names(tmp_path) == wanted


def test_suffixes_count_in_any_case_and_others_are_left_out(tmp_path: Path) -> None:
    _make(tmp_path, "a.JPG", "b.Png", "c.jpEG", "d.WEBP", "e.xcf", "f.txt", "jpg", "g.jpg.part")
    assert _names(tmp_path) == ["a.JPG", "b.Png", "c.jpEG", "d.WEBP"]


def test_other_suffixes_can_be_asked_for(tmp_path: Path) -> None:
    _make(tmp_path, "a.jpg", "b.MP4")
    assert _walked(tmp_path, suffixes=(".mp4",))[0] == [(tmp_path / "b.MP4").as_posix()]


def test_hidden_files_and_folders_are_left_out_unless_named(tmp_path: Path) -> None:
    _make(tmp_path, "a.png", "._a.png", ".cache/b.png")
    assert _names(tmp_path) == ["a.png"]
    named = [tmp_path / "._a.png", tmp_path / ".cache"]
    found, _ = _walked(*named)
    assert found == [named[0].as_posix(), (named[1] / "b.png").as_posix()]


@pytest.mark.parametrize(
    "name",
    ["ein bild.jpg", "  .jpg", "日本 語.png", "e\u0301.png", "größe.JPG", "😀.webp", "a\nb.png"],
)
def test_names_may_hold_anything(tmp_path: Path, name: str) -> None:
    _make(tmp_path, f"ordner mit blank/{name}")
    assert _names(tmp_path) == [f"ordner mit blank/{name}"]


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")
def test_a_name_that_is_no_utf8_is_found_and_can_be_opened(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such name")
    (path,) = list_image_files([tmp_path], lambda *_: None)
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a", ".a.txt"])
def test_a_named_file_is_always_taken(tmp_path: Path, name: str) -> None:
    path = _make(tmp_path, name) / name
    assert _walked(path) == ([path.as_posix()], [])
    assert _walked(str(path)) == ([path.as_posix()], [])


def test_paths_begin_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, "a/b.png")
    monkeypatch.chdir(tmp_path)
    assert _walked("a")[0] == ["a/b.png"]
    assert _walked("a/")[0] == ["a/b.png"]
    assert _walked(".")[0] == ["a/b.png"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{}/none.jpg", "no such file or folder"),
        ("{}/none", "no such file or folder"),
        ("https://example.org/a.jpg", "a URL"),
        ("https:/example.org/a.jpg", "a URL"),
        ("FILE:///a.jpg", "a URL"),
        ("data:image/png;base64,AAAA", "a URL"),
        ("a\0b.jpg", "no such file or folder"),
        ("{}/a.png/b.png", "cannot be read: Not a directory"),
    ],
)
def test_what_is_not_there_is_reported_and_the_rest_goes_on(
    tmp_path: Path, given: str, reason: str
) -> None:
    path = _make(tmp_path, "a.png") / "a.png"
    given = given.format(tmp_path)
    found, reports = _walked(given, path)
    assert found == [path.as_posix()]
    assert [name for name, _ in reports] == [given]
    assert reports[0][1].startswith(reason)


def test_what_is_named_twice_comes_once(tmp_path: Path) -> None:
    _make(tmp_path, "a/1.png", "a/2.png", "b.xcf")
    one, xcf, folder = tmp_path / "a/1.png", tmp_path / "b.xcf", tmp_path / "a"
    two = tmp_path / "a/2.png"
    assert _walked(one, one, xcf, xcf)[0] == [one.as_posix(), xcf.as_posix()]
    assert _walked(two, folder, folder)[0] == [two.as_posix(), one.as_posix()]
    assert _walked(folder, two, tmp_path)[0] == [one.as_posix(), two.as_posix()]


class TestLinks:
    """Symbolic links of every kind: each real file once, and an end."""

    @pytest.fixture(autouse=True)
    def _links(self, tmp_path: Path) -> None:
        try:
            (tmp_path / "try").symlink_to(tmp_path)
        except OSError:
            pytest.skip("links cannot be made here")
        (tmp_path / "try").unlink()

    def test_loops_end(self, tmp_path: Path) -> None:
        _make(tmp_path, "a/b/1.png", "a/2.png")
        (tmp_path / "a/b/up").symlink_to(tmp_path / "a", target_is_directory=True)
        (tmp_path / "a/self").symlink_to(".", target_is_directory=True)
        (tmp_path / "a/self.png").symlink_to("self.png")
        found, reports = _walked(tmp_path)
        assert found == [(tmp_path / "a/2.png").as_posix(), (tmp_path / "a/b/1.png").as_posix()]
        assert [name for name, _ in reports] == [str(tmp_path / "a/self.png")]

    def test_folders_behind_links_are_walked_once(self, tmp_path: Path) -> None:
        _make(tmp_path, "outside/1.png", "in/2.png")
        for name in ("x", "y"):
            (tmp_path / "in" / name).symlink_to(tmp_path / "outside", target_is_directory=True)
        assert _names(tmp_path / "in") == ["2.png", "x/1.png"]

    @pytest.mark.parametrize("link", ["0.png", "z.png", "m/1.png"])
    def test_a_link_and_its_file_are_one(self, tmp_path: Path, link: str) -> None:
        _make(tmp_path, "k/1.png", "x.png")
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / "k/1.png")
        found, _ = _walked(tmp_path)
        real = sorted(os.path.realpath(path) for path in found)
        assert real == sorted(os.path.realpath(tmp_path / name) for name in ("k/1.png", "x.png"))

    def test_a_link_to_what_a_walk_leaves_out_is_taken_once(self, tmp_path: Path) -> None:
        _make(tmp_path, "k/data.bin", "k/.hidden.png")
        for name, target in (
            ("a.png", "data.bin"),
            ("b.png", "data.bin"),
            ("c.png", ".hidden.png"),
        ):
            (tmp_path / "k" / name).symlink_to(target)
        assert _names(tmp_path) == ["k/a.png", "k/c.png"]

    def test_links_to_files_outside_come_once(self, tmp_path: Path) -> None:
        _make(tmp_path, "out/1.png", "in/2.png")
        for name in ("a.png", "b.png"):
            (tmp_path / "in" / name).symlink_to(tmp_path / "out/1.png")
        assert _names(tmp_path / "in") == ["2.png", "a.png"]


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        (["k/a.jpg", "k/b.jpg"], ["k/a.jpg", "k/b.jpg"]),
        (["k/b.jpg", "k/b.jpg", "k"], ["k/b.jpg", "k/a.jpg"]),
        (["k", "l/c.jpg", "k/a.jpg"], ["k/a.jpg", "k/b.jpg", "l/c.jpg"]),
        (["l/link.jpg", "k", "l"], ["l/link.jpg", "k/b.jpg", "l/c.jpg"]),
    ],
)
def test_hard_links_are_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str], wanted: list[str]
) -> None:
    monkeypatch.chdir(_make(tmp_path, "k/a.jpg", "l/.hidden"))
    try:
        os.link("k/a.jpg", "k/b.jpg")
        os.link("k/a.jpg", "l/c.jpg")
        os.symlink(tmp_path / "k/a.jpg", "l/link.jpg")
    except OSError:
        pytest.skip("links cannot be made here")
    assert _walked(*inputs) == (wanted, [])


def test_an_unreadable_folder_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    real = os.scandir

    def closed(folder: str) -> Any:
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", closed)
    found, reports = _walked(tmp_path)
    assert [Path(path).name for path in found] == ["1.png", "3.png"]
    assert reports == [(str(tmp_path / "b"), "cannot be read: Permission denied")]
    named = tmp_path / "b/2.png"
    for inputs in (
        [tmp_path / "b", named],
        [named, tmp_path / "b"],
        [tmp_path / "b", named, named],
    ):
        found, reports = _walked(*inputs)
        assert found == [named.as_posix()]
        assert len(reports) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_pipes_in_folders_are_left_out(tmp_path: Path) -> None:
    _make(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "b.png")
    assert _names(tmp_path) == ["a.png"]


def test_folders_hundreds_deep_are_walked(tmp_path: Path) -> None:
    depth = 700
    deep = tmp_path.joinpath(*["d"] * depth)
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"x")
    assert _names(tmp_path) == ["d/" * depth + "a.png"]


class _Entry:
    """An entry of a folder that is on no disk."""

    def __init__(self, name: str, folder: bool) -> None:
        self.name, self._folder = name, folder

    def is_dir(self) -> bool:
        return self._folder

    def is_symlink(self) -> bool:
        return False

    def is_file(self) -> bool:
        return not self._folder


class _Listing:
    def __init__(self, entries: Iterator[_Entry]) -> None:
        self._entries = entries

    def __enter__(self) -> Iterator[_Entry]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    # in a process of its own: the table of all names that a process has seen grows in large steps
    command = [sys.executable, __file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, peak = map(int, done.stdout.split())
    assert count == 300 * 200
    assert peak < 4_000_000  # 60,000 kept paths would be 15 MB; Python's own table takes 2 of it


def _walk_many(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Walk 300 folders of 200 files that are not there; return how many, and the peak of memory."""

    def listing(folder: str) -> _Listing:
        if folder == str(root):
            return _Listing(_Entry(f"{n:03}", True) for n in range(300))
        return _Listing(_Entry(f"{n:06}.png", False) for n in range(200))

    real, numbers = os.stat, iter(range(10**9))

    def found(path: Any, **options: Any) -> Any:
        if str(path).startswith(f"{root}/"):
            return os.stat_result((0o40755, next(numbers), 1, *[0] * 7))
        return real(path, **options)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(os, "stat", found)
    tracemalloc.start()
    count = sum(1 for _ in list_image_files([root], lambda *_: None))
    return count, tracemalloc.get_traced_memory()[1]


def test_other_files_in_folders_are_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.XCF", "c.xcf", "d.jp2", "none", ".hidden.xcf", "named.txt"):
        (tmp_path / name).touch()
    left_out: Counter[str] = Counter()
    inputs = [tmp_path, tmp_path / "named.txt"]
    found = list(list_image_files(inputs, lambda name, reason: None, left_out=left_out))
    assert [path.name for path in found] == ["a.jpg", "named.txt"]
    assert left_out == {".xcf": 2, ".jp2": 1, "": 1, ".txt": 1}


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        print(*_walk_many(Path(sys.argv[1]), patched))
