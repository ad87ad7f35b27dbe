"""``emotion data crop IN OUT``: convert a dataset of uncropped images to face crops."""

import csv
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console

from emotion_detection.config import DataConfig
from emotion_detection.data.cache import open_cached
from emotion_detection.data.class_mapping import choose_classes
from emotion_detection.data.locate import find, recognise_format
from emotion_detection.data.source import Face, Source
from emotion_detection.data.summary import draw_contact_sheet, escape_text, format_facts, save
from emotion_detection.data.whole_images import find_crop
from emotion_detection.errors import InputError
from emotion_detection.images.opening import IMAGE_SUFFIXES, ImageError
from emotion_detection.io.files import escape_cell
from emotion_detection.io.progress import show_progress

LEFT_OUT = "left-out.csv"
MANIFEST = "faces.csv"


def crop_dataset(config: DataConfig, out: Path) -> int:
    """Crop the largest face of each image of a dataset, as ``emotion predict`` does.

    Folders, splits and labels are kept. Images without a face are left out and listed in
    ``left-out.csv``. If the data is not in folders of classes, ``faces.csv`` has the labels and
    splits. A contact sheet is drawn beside the folder.

    Args:
        config: the data settings, with size and channels of the faces.
        out: the folder to write, which must not exist or be empty.

    Returns:
        0, the exit code.

    Raises:
        InputError: the data cannot be read, there is no face in it, or ``out`` cannot be written.
    """
    if config.labels == "ferplus":
        raise InputError("data crop: FER-2013's faces are cut out already")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; name a new folder")
    source = choose_classes(find(config)[0], config.rename, config.classes)
    working = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        working.mkdir(parents=True)
        kept, several, left_out = _write_crops(source, config, working)
        if not kept:
            raise InputError(f"{config.data}: no face was found in any of {left_out} images")
        if out.exists():
            out.rmdir()
        working.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(working, ignore_errors=True)
    sheet = out.with_name(f"{out.name}-sheet.png")
    written = DataConfig(
        data=out.as_posix(), size=config.size, channels=config.channels, cache=config.cache
    )
    dataset = open_cached(recognise_format(out), written)
    draw_contact_sheet(dataset, sheet, split=next(name for name, n in dataset.sizes.items() if n))
    rows = [
        ("faces", f"{kept:,}, {config.size} x {config.size}"),
        ("folder", escape_text(str(out))),
    ]
    if several:
        rows.append(("several faces", f"{several:,} images; the largest face was taken"))
    if left_out:
        rows.append(("left out", f"{left_out:,} images: {escape_text(str(out / LEFT_OUT))}"))
    Console().print(format_facts(*rows, ("sheet", escape_text(str(sheet)))))
    return 0


def _write_crops(source: Source, config: DataConfig, out: Path) -> tuple[int, int, int]:
    """Write the crops; return the numbers of crops, images with several faces, and left out."""
    taken: set[str] = set()
    listed: list[tuple[str, Face]] = []
    left_out: list[tuple[str, str]] = []
    several = 0
    for face in show_progress(source.read(), "cutting out faces", source.count):
        try:
            crop, faces = find_crop(face.content, config.size, config.channels)
        except ImageError as error:
            left_out.append((face.name, str(error)))
            continue
        several += faces > 1
        name = _free_name(face.name, taken)
        save(out / name, _png(crop))
        listed.append((name, face))
    if source.kind != "folders" or config.rename:
        _write_manifest(out / MANIFEST, source.labels, listed)
    if left_out:
        _write_csv(out / LEFT_OUT, ["file", "reason"], left_out)
    return len(listed), several, len(left_out)


def _free_name(name: str, taken: set[str]) -> str:
    """Return a face's path in the new folder: the old one as a PNG, if possible."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if PurePosixPath(name).is_absolute() or ".." in parts or ":" in name:
        parts = parts[-1:]
    path = PurePosixPath(*(part.lstrip(".") or "_" for part in parts))
    stem = path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path
    number, free = 1, f"{stem}.png"
    while free.lower() in taken:
        number += 1
        free = f"{stem}_{number}.png"
    taken.add(free.lower())
    return free


def _png(crop: npt.NDArray[np.uint8]) -> bytes:
    pixels = crop[0] if len(crop) == 1 else np.ascontiguousarray(crop.transpose(1, 2, 0))
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def _write_manifest(path: Path, labels: Sequence[str], listed: list[tuple[str, Face]]) -> None:
    optional = {
        name: [getattr(face, name) for _, face in listed]
        for name in ("split", "intensity", "person")
    }
    used = {name: cells for name, cells in optional.items() if any(c is not None for c in cells)}
    rows = [
        (file, labels[face.label], *("" if c[row] is None else str(c[row]) for c in used.values()))
        for row, (file, face) in enumerate(listed)
    ]
    _write_csv(path, ["file", "emotion", *used], rows)


def _write_csv(path: Path, header: list[str], rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([escape_cell(cell) for cell in row] for row in rows)
    save(path, text.getvalue().encode("utf-8", "replace"))
