"""Recognise file types by the first bytes and the name, and list the supported formats."""

import importlib.util
import re

PPM, TGA = "PPM", "TGA"
"""Pillow's names of formats that are only tried on files that begin as one: Pillow takes much for a
TGA, and a PPM of floats for a photo."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", PPM, TGA)
"""Supported formats, by Pillow's names. JPEG also opens MPO, DIB is BMP without the file header,
and PPM also opens PBM and PGM. Pillow's 40 other formats are not used for photos, or decoding them
cannot be limited (JPEG 2000)."""

HEIF = "HEIF"
"""Pillow's name of the format of the extra ``heif``."""

READ_NAMES = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "TGA")
"""Names of the same formats for users: MPO is JPEG with several images."""

READ = f"{', '.join(READ_NAMES[:-1])} and {READ_NAMES[-1]}"
"""The same names as a phrase."""

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".pjpeg", ".pjp", ".mpo", ".png", ".apng"),
    *(".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".avifs"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".tga"),
)
"""Suffixes of the image files that are read from folders and in datasets, in lower case."""

HEIF_SUFFIXES = (".heic", ".heif", ".hif")
"""Suffixes that the extra ``heif`` adds."""

JPEG2000_SUFFIXES = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")
"""Suffixes of JPEG 2000, which only datasets may hold: small files may take very long."""

OTHER_SUFFIXES = (
    *(*JPEG2000_SUFFIXES, ".jxl", ".svg", ".psd", ".ico", ".icns", ".pfm", ".pam", ".pcx"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".exr", ".hdr", ".dcm"),
)
"""Suffixes of images of unsupported formats."""

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")
_HEIF_BRANDS = (*_HEIC_BRANDS, b"mif1", b"msf1", b"mif2")
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Possible lengths of a bitmap's header."""
_PPM = re.compile(rb"P[1-6]\s+[#\d]")
_TGA_KINDS = (1, 2, 3, 9, 10, 11)
"""Kinds of a TGA; 8 is added if it is run-length encoded."""
_TGA_DEPTHS = {1: (8,), 2: (16, 24, 32), 3: (1, 8, 16)}
"""Bits of a pixel of a TGA: of a palette, colours and greys."""
_STARTS = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image, or a camera's raw file"),
    (b"MM\0*", "a TIFF image, or a camera's raw file"),
    (b"II+\0", "a BigTIFF image"),
    (b"MM\0+", "a BigTIFF image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"icns", "a macOS icon"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"PK\x03\x04", "a ZIP archive, or a document that is one"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"OggS", "an Ogg video or sound"),
    (b"ID3", "a sound file"),
    (b"FLV", "a Flash video"),
    (b"SQLite format 3", "a database"),
    (b"\x93NUMPY", "a NumPy array: pass the loaded array"),
)


def describe_content(data: bytes) -> str | None:
    """Return the type of a file, such as "a HEIC image", or None if it is unknown.

    Args:
        data: the file, or the first few hundred bytes.

    >>> describe_content(b"%PDF-1.7")
    'a PDF document'
    """
    if data[4:8] == b"ftyp":
        return _describe_brand(data[8:12])
    if data[:4] == b"RIFF":
        kinds = {b"WEBP": "a WebP image", b"AVI ": "an AVI video", b"WAVE": "a sound file"}
        return kinds.get(data[8:12])
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "a QuickTime video"
    if data[128:132] == b"DICM":
        return "a DICOM image"
    if is_dib(data):
        return "a BMP image"
    if is_ppm(data):
        return "a PBM, PGM or PPM image"
    if is_tga(data):
        return "a TGA image"
    return _describe_text(data[:512])


def is_ppm(data: bytes) -> bool:
    """Return True for a PBM, PGM or PPM, of text or bytes."""
    return _PPM.match(data) is not None


def is_tga(data: bytes) -> bool:
    """Return True if a file begins as a TGA, which has no signature: by the header's 18 bytes."""
    if len(data) < 18:
        return False
    has_map, kind, first, depth, flags = data[1], data[2], data[3:8], data[16], data[17]
    size = data[12:14], data[14:16]
    return (
        depth in _TGA_DEPTHS.get(kind & 7, ())
        and kind in _TGA_KINDS
        and (has_map == 1 if kind & 7 == 1 else has_map == 0 and not any(first))
        and b"\0\0" not in size
        and not flags & 0xC0
    )


def is_dib(data: bytes) -> bool:
    """Return True for a BMP without the file header, as in the clipboard of Windows."""
    size = int.from_bytes(data[:4], "little")
    planes = data[8:10] if size == 12 else data[12:14]
    return size in _BITMAP_HEADERS and planes == b"\1\0"


def is_heif(data: bytes) -> bool:
    """Return True for the formats that need the extra ``heif``, such as HEIC."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and not _lists_avif(data)


def is_avif(data: bytes) -> bool:
    """Return True for AVIF."""
    return data[4:8] == b"ftyp" and (data[8:12] in (b"avif", b"avis") or _lists_avif(data))


def _lists_avif(data: bytes) -> bool:
    """Return True if the compatible brands of a HEIF file include AVIF and not HEVC."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in range(16, end, 4)}
    return b"avif" in brands and not brands & set(_HEIC_BRANDS)


def _describe_brand(brand: bytes) -> str:
    if brand in (b"avif", b"avis"):
        return "an AVIF image"
    if brand in _HEIF_BRANDS:
        return "a HEIC image" if brand in _HEIC_BRANDS else "a HEIF image"
    if brand == b"crx ":
        return "a camera's raw file"
    return "a QuickTime video" if brand == b"qt  " else "an MP4 video"


def _describe_text(data: bytes) -> str | None:
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), not an image: the download may have failed"
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "an SVG drawing"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the image: 'git lfs pull' fetches it"
    try:
        readable = data.decode("utf-8", "strict" if len(data) < 512 else "ignore")
    except UnicodeDecodeError:
        return None
    is_text = readable and all(letter.isprintable() or letter in "\t\r\n" for letter in readable)
    return "a text file" if is_text else None


def read_suffixes() -> tuple[str, ...]:
    """Return the suffixes of the image files that are read from folders, in lower case."""
    has_heif = importlib.util.find_spec("pillow_heif") is not None
    return SUFFIXES + HEIF_SUFFIXES if has_heif else SUFFIXES
