"""Open images safely, from paths, bytes, PIL images and arrays.

Only known formats are opened (:mod:`.file_types`). The size in the header is checked before
decoding. 16-bit greys are scaled, not clipped. Transparent pixels are composited on grey.
"""

import functools
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from emotion_detection.defaults import DEFAULT_MAX_PIXELS as DEFAULT_MAX_PIXELS
from emotion_detection.defaults import MAX_PIXELS as MAX_PIXELS
from emotion_detection.errors import ImageError as ImageError
from emotion_detection.errors import missing_package, shorten
from emotion_detection.images.arrays import array_to_pixels, check_color
from emotion_detection.images.damage import (
    complete_jpeg,
    explain_failure,
    find_damage,
    name_content,
)
from emotion_detection.images.file_objects import is_file_object, read_file_object
from emotion_detection.images.file_types import (
    FORMATS,
    HEIF,
    HEIF_SUFFIXES,
    JPEG2000_SUFFIXES,
    PPM,
    READ,
    READ_NAMES,
    SUFFIXES,
    TGA,
    describe_content,
    is_avif,
    is_heif,
)
from emotion_detection.images.frames import count_open_frames, keep_first_frame
from emotion_detection.images.headers import check_density, prepare
from emotion_detection.images.modes import convert_to_8_bit, find_rgb_profile, lay_on_background
from emotion_detection.images.pillow_settings import PILLOW_SETTINGS

JPEG2000 = "JPEG2000"
DATASET_FORMATS = (*FORMATS, JPEG2000)
"""Formats that are read in datasets, which are on the user's own disk. A small JPEG 2000 may take
very long, whatever its header says, so it is read nowhere else."""
IMAGE_SUFFIXES = frozenset([*SUFFIXES, *HEIF_SUFFIXES, *JPEG2000_SUFFIXES])
"""Suffixes of faces in a dataset; files that Pillow cannot read count as unreadable."""
MAX_SLOW_PIXELS, MAX_SLOW_BYTES = 1_000_000, 16_000_000
"""Maximum pixels and bytes of an image whose decoder is written in Python."""
_ALPHA_BITS = "alpha_bits"
"""Key of Pillow's ``info`` for the bits of a TGA's pixel that are transparency."""
REDUCED_SIDE = 2560
"""Minimum longer side in pixels that a large image is reduced to for detection."""

URL = re.compile(r"[a-z][a-z0-9+.-]+:/|data:image/", re.IGNORECASE)
"""Pattern of the start of texts that are not paths."""
NO_URL = "a URL: images are read from disk only; download it first"
_DATA_URL = "a data URL: decode it, and pass the bytes: base64.b64decode(text.split(',')[1])"
_FOLDER = (
    "a folder, not an image: in Python detect_many(folder) takes all images in it, on the command "
    "line 'emotion predict FOLDER'"
)
_RAISE_LIMIT = "--max_pixels, in Python max_pixels=, sets the limit"
_LONGEST_NAME = 4096
"""Maximum length of a path in characters, on any system."""

_MOVING = {"PNG", "WEBP", "GIF", "AVIF"}
_ONE_FRAME = "only the first frame was read: the file is damaged or cut off behind frame 1"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that makes an image of each EXIF orientation upright."""
_LYING = (5, 6, 7, 8)
"""Orientations that swap width and height."""


class LoadedImage(NamedTuple):
    """A loaded image, possibly at a reduced size.

    Args:
        pixels: uint8 (H, W, 3) RGB, possibly read-only; reduced if ``full`` is given.
        width: width of the upright image at full size, in pixels.
        height: height of the upright image at full size, in pixels.
        notes: remarks for the user.
        icc_profile: colour profile of ``pixels``, if the file has one for RGB.
        full: returns the image at full size, mode "L" or "RGB", decoded at most once; None if
            ``pixels`` have full size.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    notes: tuple[str, ...] = ()
    icc_profile: bytes | None = None
    full: Callable[[], Image.Image] | None = None

    def to_image(self) -> Image.Image:
        """Return the image at full size, mode "RGB", to be drawn on.

        It may be the image that ``full`` returns.

        Raises:
            ImageError: the image cannot be decoded at full size.
        """
        if self.full is None:
            return Image.fromarray(self.pixels)
        full = self.full()
        return full if full.mode == "RGB" else full.convert("RGB")


class _Opened(NamedTuple):
    """An image opened and decoded by Pillow, and the upright full size of a reduced one."""

    image: Image.Image
    decoded: Image.Image
    notes: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    full: Callable[[], Image.Image] | None = None


def open_image(content: bytes | Path, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Open an image and decode it, upright, as 8-bit grey ("L") or colour ("RGB").

    Args:
        content: the file's bytes, or its path.
        formats: Pillow's names of the accepted formats.

    Raises:
        ImageError: the image has another format, is truncated, unreadable or over 25 megapixels; or
            the file does not exist.
    """
    return _open(content, MAX_PIXELS, formats=formats).decoded


def _open(
    content: bytes | str | os.PathLike[str],
    max_pixels: int,
    reduced: bool = False,
    formats: Sequence[str] = FORMATS,
) -> _Opened:
    """Open and decode an image; large ones at a reduced size, if requested."""
    # read here, since Pillow keeps a path's file open when decoding fails
    data = content if isinstance(content, bytes) else _content(os.fspath(content), max_pixels)
    if not data:
        raise ImageError("empty: 0 bytes")
    known = _formats(data, formats)
    with PILLOW_SETTINGS:  # once: entering it again inside costs next to nothing
        return _open_content(data, known, max_pixels, reduced)


def _open_content(data: bytes, known: tuple[str, ...], max_pixels: int, reduced: bool) -> _Opened:
    with _refusals():
        data = prepare(data)
    with _refusals(data):
        image, content = _open_lazily(data, known)
        if image.format == TGA:
            image.info[_ALPHA_BITS] = data[17] & 15
    with _refusals():
        _check_size(image, max_pixels)
        _check_decoder(image, content)
        # how many other frames of a repaired animation are complete is unknown
        notes = (_ONE_FRAME,) if content is not data else _note_frames(image, data)
        if image.format in ("JPEG", "MPO"):
            content, note = complete_jpeg(data)
            if note is not None:
                notes = (note, *notes)
                image = Image.open(io.BytesIO(content), formats=known)
        check_density(image.size, content)
    with _refusals(data):
        opened = _decode_reduced(image, content) if reduced and _is_large(image) else None
        opened = opened or _Opened(image, _decoded(image))
    return opened._replace(notes=notes)


def _open_lazily(data: bytes, formats: tuple[str, ...]) -> tuple[Image.Image, bytes]:
    """Open an image, or the first frame of a damaged animation; return it and the bytes."""
    try:
        return Image.open(io.BytesIO(data), formats=formats), data
    except Exception:  # Pillow's plugins raise exceptions of many types
        first = keep_first_frame(data)
        if first is None:
            raise
        return Image.open(io.BytesIO(first), formats=formats), first


def _formats(data: bytes, formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that Pillow may try on a file.

    Raises:
        ImageError: the format needs an extra or a newer Pillow.
    """
    if is_heif(data):
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            what = describe_content(data)
            raise ImageError(str(missing_package(f"{what}:", "pillow-heif", "heif"))) from None
        register_heif_opener(thumbnails=False)
        return (HEIF,)
    Image.init()  # formats that this Pillow lacks must not be named
    if is_avif(data) and "AVIF" not in Image.OPEN:
        raise ImageError("an AVIF image: needs Pillow 11.3 or newer: pip install -U pillow")
    what = describe_content(data)
    for name in (PPM, TGA):
        if what is not None and what.endswith(f" {name} image") and name in formats:
            return (name,)
    return tuple(name for name in formats if name in Image.OPEN and name not in (PPM, TGA))


@contextmanager
def _refusals(data: bytes = b"") -> Iterator[None]:
    """Convert all exceptions about an image to :class:`ImageError`.

    Args:
        data: the bytes of the file, around decoders, whose messages are explained; empty around
            code of this package, whose messages are kept.
    """
    try:
        with PILLOW_SETTINGS:
            yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(_not_read(data)) from None
    except MemoryError:
        raise ImageError("too large for the memory that is left") from None
    except Exception as error:  # for damaged files, Pillow's plugins raise exceptions of many types
        words = explain_failure(data, " ".join(str(error).split()))
        raise ImageError(shorten(words) or type(error).__name__) from None


def _not_read(data: bytes) -> str:
    what = describe_content(data)
    if what is None:
        return f"not an image in a format that is read ({READ})"
    if "video" in what:
        return (
            f"{what}, not an image: 'emotion predict' reads files named as videos (.mp4, .mov), "
            "EmotionDetector.detect_video() any"
        )
    damage = find_damage(data)
    kind = name_content(data)
    if damage is not None:
        return f"{kind}, {damage}"
    if data.startswith(b"MM\0+"):
        return "a BigTIFF image in big-endian byte order, which is not read; save it as PNG"
    if what.startswith("a JPEG 2000"):
        what += ", which only datasets may hold, since it may take very long; save it as PNG"
    if what.startswith("a TIFF"):
        return "a TIFF image of a kind that is not read, or a camera's raw file"
    if any(what.endswith(f" {name} image") for name in READ_NAMES):
        return f"{what}, damaged: its header cannot be read"
    return f"not an image in a format that is read ({READ}): {what}"


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels: more than {max_pixels / 1e6:g} megapixels "
            f"({width * height / 1e6:.1f}); {_RAISE_LIMIT}"
        )


def _check_decoder(image: Image.Image, content: bytes) -> None:
    """Reject a large image whose decoder is written in Python: a second for a megapixel."""
    is_slow = any(tile[0] in Image.DECODERS for tile in getattr(image, "tile", ()))
    pixels = image.width * image.height
    if (
        image.format == PPM
        and is_slow
        and (pixels > MAX_SLOW_PIXELS or len(content) > MAX_SLOW_BYTES)
    ):
        raise ImageError(
            f"a PBM, PGM or PPM image of {image.width} x {image.height} pixels, as text or with "
            f"levels up to others than 255: more than {MAX_SLOW_PIXELS / 1e6:g} megapixels, or "
            f"than {MAX_SLOW_BYTES / 1e6:g} MB; save it as PNG"
        )


def _is_large(image: Image.Image) -> bool:
    return image.width * image.height > MAX_PIXELS and max(image.size) >= 2 * REDUCED_SIDE


def _decode_reduced(image: Image.Image, data: bytes) -> _Opened:
    """Decode a large image at a reduced size: a JPEG while decoding, others by averaging."""
    share = REDUCED_SIDE / max(image.size)
    if image.format in ("JPEG", "MPO"):
        size = image.size[::-1] if _orientation(image) in _LYING else image.size
        image.draft(None, (round(share * image.width), round(share * image.height)))

        @functools.cache
        def full() -> Image.Image:
            with _refusals():
                return _decoded(Image.open(io.BytesIO(data), formats=("JPEG",)))

        return _Opened(image, _decoded(image), size=size, full=full)
    whole = _decoded(image)
    # not from the header: Pillow has already transposed the size of TIFF, AVIF and HEIC
    small = whole.reduce(max(whole.size) // REDUCED_SIDE)
    return _Opened(image, small, size=whole.size, full=lambda: whole)


def _decoded(image: Image.Image) -> Image.Image:
    image.load()
    return convert_to_8_bit(_upright(_drop_unused_alpha(image)))


def _drop_unused_alpha(image: Image.Image) -> Image.Image:
    """Drop the fourth channel of a TGA whose header says that it is no transparency."""
    if image.format != TGA or image.mode not in ("RGBA", "LA") or image.info.get(_ALPHA_BITS, 8):
        return image
    return image.convert("RGB" if image.mode == "RGBA" else "L")


def image_to_array(
    image: object, max_pixels: int = DEFAULT_MAX_PIXELS, color: str = "rgb"
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Convert an image of any accepted type to an RGB array.

    Files are opened as by :func:`open_image`, by their content, not by their names. A PIL image is
    copied, turned upright and converted to 8 bits. Of several frames the first is used, or a PIL
    image's current one. An array uint8 (H, W, 3) RGB is returned unchanged; others are converted by
    the rules of :mod:`.arrays`.

    Args:
        image: a path (str or path-like), a file's bytes, a file that is open for reading bytes,
            a PIL image, or an array or tensor (H, W), (H, W, C) or (C, H, W).
        max_pixels: files and PIL images with more are refused.
        color: order of the channels of an array, 'rgb', or 'bgr' as in OpenCV.

    Returns:
        uint8 (H, W, 3) RGB, possibly read-only, and notes for the user, such as that only the first
        frame was read.

    Raises:
        ImageError: the image cannot be read, is a URL, or has another type, dtype or shape.
    """
    loaded = load_image(image, max_pixels, color)
    return loaded.pixels, loaded.notes


def load_image(
    image: object,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    color: str = "rgb",
    reduced: bool = False,
) -> LoadedImage:
    """Load an image of any accepted type, as :func:`image_to_array` does.

    Args:
        image: as for :func:`image_to_array`.
        max_pixels: as for :func:`image_to_array`.
        color: as for :func:`image_to_array`.
        reduced: images of more than 25 megapixels may be reduced, to no less than 2560 pixels of
            the longer side. A JPEG is then decoded at that size.

    Raises:
        ImageError: as for :func:`image_to_array`.
    """
    check_color(color)
    if isinstance(image, (bytes, bytearray, memoryview)):
        opened = _open(bytes(image), max_pixels, reduced)
    elif isinstance(image, (str, os.PathLike)):
        opened = _open(image, max_pixels, reduced)
    elif isinstance(image, Image.Image):
        opened = _convert(image, max_pixels, reduced)
    elif is_file_object(image):
        content = read_file_object(image, largest_file_bytes(max_pixels))
        opened = _open(content, max_pixels, reduced)
    else:
        pixels = lay_on_background(array_to_pixels(image, color))
        return LoadedImage(pixels, pixels.shape[1], pixels.shape[0])
    image, decoded, notes, size, full = opened
    with _refusals():
        width, height = size or decoded.size
        rgb = decoded if decoded.mode == "RGB" else decoded.convert("RGB")
        return LoadedImage(np.asarray(rgb), width, height, notes, find_rgb_profile(image), full)


def _content(path: str | bytes, max_pixels: int) -> bytes:
    name = os.fsdecode(path)
    if URL.match(name):
        raise ImageError(_DATA_URL if name[:5].lower() == "data:" else NO_URL)
    if len(name) > _LONGEST_NAME:
        raise ImageError(
            f"a text of {len(name):,} characters, which is no file's name; if it is the file in "
            "base64, pass base64.b64decode(text)"
        )
    try:
        found = os.stat(name)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise ImageError("no such file" if missing else _said(error)) from None
    except ValueError as error:  # a name that no file can have
        raise ImageError(f"no such file: {error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise ImageError(_FOLDER)
    if not stat.S_ISREG(found.st_mode):  # reading it may never end
        raise ImageError("a pipe or a device, not a file")
    if found.st_size > largest_file_bytes(max_pixels):
        raise ImageError(
            f"{found.st_size / 1e6:,.0f} MB: more than {max_pixels / 1e6:g} megapixels can take; "
            f"{_RAISE_LIMIT}"
        )
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ImageError(_said(error)) from None


def largest_file_bytes(max_pixels: int) -> int:
    """Return the maximum size in bytes of an image file, by the maximum number of pixels."""
    # four channels of 16 bits for every pixel, and 50 MB of metadata
    return 8 * max_pixels + 50_000_000


def _said(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _convert(image: Image.Image, max_pixels: int, reduced: bool) -> _Opened:
    """Decode a user's PIL image of any format."""
    with _refusals():
        if 0 in image.size:
            raise ImageError("it has no pixels")
        _check_size(image, max_pixels)
        decoded = _decoded(image)
        notes = _note_frames(image)
        if not (reduced and _is_large(image)):
            return _Opened(image, decoded, notes)
        small = decoded.reduce(max(decoded.size) // REDUCED_SIDE)
        return _Opened(image, small, notes, size=decoded.size, full=lambda: decoded)


def _note_frames(image: Image.Image, content: bytes | None = None) -> tuple[str, ...]:
    """Return the notes about frames that are not read.

    Args:
        image: the image, opened by Pillow.
        content: the bytes of the file; None if the user opened it.
    """
    found = count_open_frames(image, content)
    noun = "frame" if image.format in _MOVING else "image"
    which = f"number {image.tell() + 1}" if image.tell() else "the first"
    if found.is_damaged and found.number < 1:
        # Pillow accepts a PNG once it has all pixels of the first frame
        if image.format == "PNG" and content is not None and b"IEND" not in content:
            raise ImageError("truncated: its end is missing")
        return ("its end is missing or damaged",)
    if found.is_damaged:
        where = f"the file is damaged or cut off behind {noun} {found.number}"
        return (f"only {which} {noun} was read: {where}",)
    if found.number < 2:
        return ()
    count = f"more than {found.number:,}" if found.too_many else f"{found.number}"
    if image.format in _MOVING:
        return (f"animated: only {which} of {count} frames was read",)
    return (f"{count} images in one file: only {which} was read",)


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 by default."""
    # ImageOps.exif_transpose also rewrites the metadata, and fails if that is damaged
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow raises exceptions of many types; the pixels are not affected
        return 1


def crop_to_square(image: Image.Image, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Convert an image of a face to a network's input.

    The image is centre-cropped to a square, not stretched, since the shape of mouth and eyes
    matters for classification. An image of the right size keeps its pixels.

    Args:
        image: mode "L" or "RGB".
        size: height and width in pixels.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.

    Returns:
        uint8 (channels, size, size).
    """
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    if channels == 1:
        return pixels[np.newaxis]
    return cast(npt.NDArray[np.uint8], np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def read_face(content: bytes | Path, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Load a face of a dataset as uint8 (channels, size, size).

    Raises:
        ImageError: as for :func:`open_image`, except for the formats.
    """
    return crop_to_square(open_image(content, DATASET_FORMATS), size, channels)
