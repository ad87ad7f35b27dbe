"""Job folders: a fixed list of files in shards, and the finished records.

The folder has ``manifest.json`` (the description of the job), ``list-DIGEST.jsonl`` (the files, in
order) and ``shards-DIGEST/`` (one file of records per finished shard, written atomically). The
digest is of model, options and list, so that results of another job are never used. After a crash
at any moment, the same job can be resumed from the folder.

A shard is a range of the list of files, which is parsed when it is needed.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from emotion_detection.batch.input_files import Entry
from emotion_detection.errors import InputError
from emotion_detection.inference.table_files import Record, write_lines_atomic
from emotion_detection.io.lock import NAME, list_own_files, remove_if_empty
from emotion_detection.io.plain_values import parse_json

_VIDEO = ", true]\n"
"""End of the line of an :class:`Entry` that is a video."""


class Shard(NamedTuple):
    """Files that are done together; a video is a shard of its own.

    Args:
        number: from 0.
        lines: the files as the list has them.
    """

    number: int
    lines: tuple[str, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The files."""
        return tuple(Entry(*fields) for fields in values(self.lines))

    @property
    def size(self) -> int:
        """Number of files."""
        return len(self.lines)

    @property
    def is_video(self) -> bool:
        """Whether it is a video."""
        return is_video(self.lines[0])


def is_video(text: str) -> bool:
    """Return True if a line of the list is a video, without parsing it."""
    return text.endswith(_VIDEO)


def values(lines: Sequence[str]) -> list[Any]:
    """Parse lines of JSON together, two to ten times as fast as one by one.

    Raises:
        ValueError: a line is no JSON.
    """
    found: list[Any] = parse_json(f"[{','.join(lines)}]")
    return found


FORMAT = 1
LARGEST_SHARD, SMALLEST_SHARD, SHARDS = 256, 16, 64
"""Images a shard; of few images there are about ``SHARDS`` shards, for all cores to help."""


@dataclass(frozen=True)
class Work:
    """A job and its progress.

    Args:
        folder: the job folder.
        digest: digest of model, options and list.
        count: number of files in the list.
    """

    folder: Path
    digest: str
    count: int

    @property
    def table(self) -> Path:
        """Temporary file of the table that is made from the shards."""
        return self.folder / f"table.{_own_name()}.part"

    def shards(self) -> Iterator[Shard]:
        """Yield all shards, finished or not, always the same ones."""
        size = min(max(self.count // SHARDS, SMALLEST_SHARD), LARGEST_SHARD)
        number, some = 0, list[str]()
        with _list(self.folder, self.digest).open(encoding="ascii") as file:
            for text in file:
                if some and (len(some) == size or is_video(text) or is_video(some[0])):
                    yield Shard(number, tuple(some))
                    number, some = number + 1, []
                some.append(text)
        if some:
            yield Shard(number, tuple(some))

    def is_done(self, shard: Shard) -> bool:
        """Return True if a shard is finished."""
        return self._path(shard).exists()

    @contextmanager
    def writing(self, shard: Shard) -> Iterator[Callable[[str], object]]:
        """Write a shard's records; it is finished when the block ends without an error.

        Yields:
            A function that takes lines of JSON, in order.

        Raises:
            InputError: they cannot be written.
        """
        path = self._path(shard)
        with (
            _said(path),
            write_lines_atomic(path, path.with_suffix(f".{_own_name()}.part")) as write,
        ):

            def put(text: str) -> None:
                with _said(path):  # the caller may mistake an OSError for an error of a video
                    write(text)

            yield put

    def records(self, shard: Shard) -> Iterator[tuple[Record, str]]:
        """Yield a shard's records, each with its line of JSON.

        Raises:
            InputError: they are not those of its files.
        """
        path, expected = self._path(shard), shard.entries
        try:
            with path.open(encoding="ascii") as file:
                if shard.is_video:  # it has any number of records, too many to be kept
                    for text in file:
                        yield _checked(parse_json(text), expected[0]), text
                    return
                lines = list(file)
            if len(lines) != len(expected) or not lines[-1].endswith("\n"):
                raise ValueError(f"{len(lines)} of {len(expected)} records")
            for record, entry, text in zip(values(lines), expected, lines, strict=True):
                yield _checked(record, entry), text
        except BrokenPipeError:
            raise  # of who takes the records, not of the file
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}): delete it and run again") from None

    def forget(self, shard: Shard) -> None:
        """Delete a shard's records."""
        self._path(shard).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the job, the manifest first, and no other files."""
        with suppress(OSError):
            (self.folder / "manifest.json").unlink(missing_ok=True)
            for path in list_own_files(self.folder):
                if path.is_dir():
                    remove_if_empty(path)
                elif path.name != NAME:
                    path.unlink(missing_ok=True)
        remove_if_empty(self.folder)

    def _path(self, shard: Shard) -> Path:
        return _shards(self.folder, self.digest) / f"{shard.number:06d}.jsonl"


def _checked(record: Record, entry: Entry) -> Record:
    if record["source"] != entry.source:
        raise ValueError("another file's")
    if "error" in record:
        well = isinstance(record["error"], str)
    else:
        well = isinstance(record["notes"], list) and all(map(_is_face, record["faces"]))
    if not well:
        raise ValueError("no record of an image")
    return record


def _is_face(face: dict[str, Any]) -> bool:
    """Return True for a face whose values are of the kinds that tables take."""
    numbers = [*face["box"], face["confidence"], *face["scores"].values()]
    numbers += (value for point in face["landmarks"].values() for value in point)
    words = [face["emotion"], *face["flags"]]
    return (
        len(face["box"]) == 4
        and all(type(one) in (int, float) for one in numbers)
        and all(isinstance(one, str) for one in words)
        and type(face["intensity"]) in (int, float, type(None))
    )


def open_work(folder: Path, entries: Iterable[Entry], options: Mapping[str, Any]) -> Work:
    """Create a job, or resume it if the folder has the same one.

    Args:
        folder: the job folder, which is created if needed.
        entries: the files, which are iterated once and not kept in memory.
        options: all other settings that the records depend on, as JSON values.

    Raises:
        InputError: the folder has another unfinished job, is not of this project, or cannot be
            written.
    """
    with _said(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"list.{_own_name()}.part"
        try:
            return _opened(folder, part, entries, options)
        finally:
            part.unlink(missing_ok=True)


def _opened(folder: Path, part: Path, entries: Iterable[Entry], options: Mapping[str, Any]) -> Work:
    files, count = hashlib.sha256(), 0
    with part.open("w", encoding="ascii", newline="\n") as file:
        for entry in entries:
            text = json.dumps(entry) + "\n"
            files.update(text.encode("ascii"))
            file.write(text)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    about = {"format": FORMAT, "files": files.hexdigest(), "count": count, "options": dict(options)}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    # several processes may create the same job at the same time: they write files with names of
    # their own, or the same content
    manifest = folder / "manifest.json"
    same = manifest.exists() and _is_same(folder, manifest, {**about, "digest": digest})
    os.replace(part, _list(folder, digest))
    _shards(folder, digest).mkdir(exist_ok=True)
    if not same:
        text = json.dumps({**about, "digest": digest}, indent=1)
        with write_lines_atomic(manifest, part.with_suffix(".manifest")) as write:
            write(text)
    return Work(folder, digest, count)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Convert system errors while a file is written to a line that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _own_name() -> str:
    """Return a name that is unique among processes on the same disk."""
    return f"{platform.node()}.{os.getpid()}"


def _list(folder: Path, digest: str) -> Path:
    return folder / f"list-{digest[:16]}.jsonl"


def _shards(folder: Path, digest: str) -> Path:
    return folder / f"shards-{digest[:16]}"


def _is_same(folder: Path, manifest: Path, expected: dict[str, Any]) -> bool:
    """Return True for the same job; reject another job with finished shards."""
    advice = f"give those again, remove {folder}, or choose another --out"
    try:
        there = parse_json(manifest.read_bytes())
        if there["digest"] == expected["digest"]:
            return True
        if next(_shards(folder, there["digest"]).glob("*.jsonl"), None) is None:
            return False
        before, now = there["options"], expected["options"]
        changed = [
            f"{name} {before.get(name)} (now {now.get(name)})"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
        if there["files"] != expected["files"]:
            changed.append(f"{there['count']:,} files (now {expected['count']:,}, or others)")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{manifest}: cannot be read as that of unfinished work; remove {folder}, or choose "
            "another --out"
        ) from None
    raise InputError(f"{folder}: holds unfinished work with {', '.join(changed)}: {advice}")
