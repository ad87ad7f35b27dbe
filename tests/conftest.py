"""The same tiny faces in every shape that the project reads."""

import csv
import functools
import importlib
import importlib.util
import io
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from emotion_detection.config import DataConfig

# networks of tests are too small to share between threads, which would mostly wait for each other;
# torch reads it when it is imported, here and in processes that tests start
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a busy machine is no fault; `make test-all` takes the other one (--hypothesis-profile=full)
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("full", max_examples=100, deadline=None)
settings.load_profile("quick")

KAGGLE_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PARQUET_SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}

ROOT = Path(__file__).resolve().parents[1]


class TinySet(NamedTuple):
    """Faces uint8 (N, 48, 48), labels 0 to 6 and FER-2013's usages, in Kaggle's order."""

    faces: np.ndarray
    labels: list[int]
    usages: list[str]


def _tiny_faces(count: int, seed: int = 0, size: int = 48) -> np.ndarray:
    generator = np.random.default_rng(seed)
    blocks = generator.integers(20, 236, (count, 8, 8))
    place = np.arange(size) * 8 // size
    faces = blocks[:, place][:, :, place] + generator.integers(-9, 10, (count, size, size))
    return faces.astype(np.uint8)


def _png(face: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(face).save(out, "PNG")
    return out.getvalue()


def _write_csv(dest: Path, faces: np.ndarray, labels: Sequence[int], usages: Sequence[str]) -> Path:
    dest.mkdir(parents=True, exist_ok=True)
    lines = ["emotion,pixels,Usage"]
    for face, label, usage in zip(faces, labels, usages, strict=True):
        lines.append(f"{label},{' '.join(map(str, face.ravel()))},{usage}")
    path = dest / "fer2013.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _write_icml_csv(
    dest: Path, faces: np.ndarray, labels: Sequence[int], usages: Sequence[str]
) -> Path:
    dest.mkdir(parents=True, exist_ok=True)
    lines = ["emotion, Usage, pixels"]
    for face, label, usage in zip(faces, labels, usages, strict=True):
        lines.append(f"{label},{usage},{' '.join(map(str, face.ravel()))}")
    path = dest / "icml_face_data.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _write_parquet(
    dest: Path,
    faces: np.ndarray,
    labels: Sequence[int],
    usages: Sequence[str],
    names: Sequence[str] | None = KAGGLE_NAMES,
) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (dest / "data").mkdir(parents=True, exist_ok=True)
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else None
    for usage, split in PARQUET_SPLITS.items():
        rows = [row for row, own in enumerate(usages) if own == usage]
        images = [{"bytes": _png(faces[row]), "path": f"{usage}_{row:05d}.png"} for row in rows]
        schema = pa.schema(
            [
                ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
                ("label", pa.int64()),
            ],
            metadata=metadata,
        )
        table = pa.table({"image": images, "label": [labels[row] for row in rows]}, schema)
        if rows:
            pq.write_table(table, dest / "data" / f"{split}-00000-of-00001.parquet")
    return dest


def _write_folders(
    dest: Path, faces: np.ndarray, labels: Sequence[int], usages: Sequence[str]
) -> Path:
    for row, (face, label, usage) in enumerate(zip(faces, labels, usages, strict=True)):
        split = "train" if usage == "Training" else "test"
        folder = dest / split / KAGGLE_NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{usage}_{row:05d}.png").write_bytes(_png(face))
    return dest


def _write_manifest(
    dest: Path,
    faces: np.ndarray,
    emotions: Sequence[str],
    splits: Sequence[str] | None = None,
    intensities: Sequence[object] | None = None,
    absolute: bool = False,
) -> Path:
    (dest / "images").mkdir(parents=True, exist_ok=True)
    path = dest / "manifest.csv"
    header = ["file", "emotion"]
    header += ["split"] if splits is not None else []
    header += ["intensity"] if intensities is not None else []
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        for row, (face, emotion) in enumerate(zip(faces, emotions, strict=True)):
            image = dest / "images" / f"{row:04d}.png"
            image.write_bytes(_png(face))
            cells: list[object] = [image if absolute else f"images/{row:04d}.png", emotion]
            cells += [splits[row]] if splits is not None else []
            cells += [intensities[row]] if intensities is not None else []
            out.writerow(cells)
    return path


def _write_votes(
    dest: Path, votes: np.ndarray, usages: Sequence[str], without_image: Sequence[int] = ()
) -> Path:
    dest.mkdir(parents=True, exist_ok=True)
    lines = [
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    ]
    for row, (usage, counts) in enumerate(zip(usages, votes, strict=True)):
        name = "" if row in without_image else f"fer{row:07d}.png"
        lines.append(",".join([usage, name, *map(str, counts)]))
    path = dest / "fer2013new.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep decoded faces of tests out of the user's cache, in child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting() -> Iterator[None]:
    """Spare the tests of this process what takes long and is the same each time.

    Waiting for the disk, which nobody pulls out; torch's table of ONNX operators, which each export
    makes anew; and the certificates that httpx reads for every request, over plain HTTP too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        if "torch" in sys.modules:
            from torch.onnx._internal.exporter import _registration

            registry = _registration.ONNXRegistry
            once = functools.cache(registry.from_torchlib)
            patch.setattr(registry, "from_torchlib", staticmethod(once))
        yield


@pytest.fixture(scope="session")
def tiny_faces() -> Callable[..., np.ndarray]:
    """``tiny_faces(count, seed=0, size=48)``: no two are near-duplicates."""
    return _tiny_faces


@pytest.fixture(scope="session")
def tiny_set() -> TinySet:
    """42 faces: of each of the seven classes four in train, one in validation, one in test."""
    usages = ["Training"] * 28 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    return TinySet(_tiny_faces(42), [row % 7 for row in range(42)], usages)


@pytest.fixture(scope="session")
def png() -> Callable[[np.ndarray], bytes]:
    """``png(face)``: uint8 (H, W) or (H, W, 3) as the bytes of a PNG."""
    return _png


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    """``write_csv(dest, faces, labels, usages)`` -> dest/fer2013.csv."""
    return _write_csv


@pytest.fixture(scope="session")
def write_icml_csv() -> Callable[..., Path]:
    """``write_icml_csv(dest, faces, labels, usages)`` -> dest/icml_face_data.csv."""
    return _write_icml_csv


@pytest.fixture(scope="session")
def write_parquet() -> Callable[..., Path]:
    """``write_parquet(dest, faces, labels, usages, names=...)`` -> dest; None: no metadata."""
    return _write_parquet


@pytest.fixture(scope="session")
def write_folders() -> Callable[..., Path]:
    """``write_folders(dest, faces, labels, usages)`` -> dest/train and dest/test."""
    return _write_folders


@pytest.fixture(scope="session")
def write_manifest() -> Callable[..., Path]:
    """``write_manifest(dest, faces, emotions, splits, intensities, absolute)`` -> the CSV."""
    return _write_manifest


@pytest.fixture(scope="session")
def write_votes() -> Callable[..., Path]:
    """``write_votes(dest, votes (N, 10), usages, without_image)`` -> dest/fer2013new.csv."""
    return _write_votes


@pytest.fixture(scope="session")
def skip_artifacts() -> Callable[[pytest.MonkeyPatch], None]:
    """``skip_artifacts(patch)``: trainings write no ONNX file and draw no curves.

    They take longest of a tiny training, and have tests of their own.
    """

    def skip(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("emotion_detection.training.final_steps.export_onnx", lambda *_: 0.0)
        patch.setattr("emotion_detection.training.final_steps.draw_curves", lambda *_: None)

    return skip


@pytest.fixture
def data_config(tmp_path: Path) -> Callable[..., DataConfig]:
    """``data_config(place, **options)``: a config whose cache lies in the test's own folder."""

    def make(place: object, **options: Any) -> DataConfig:
        return DataConfig(**{"data": str(place), "cache": str(tmp_path / "cache"), **options})

    return make


@pytest.fixture(scope="session")
def fer2013_root() -> Path:
    """Where the real FER-2013 lies, for tests marked ``real_data``."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "fer2013"
    root = Path(os.environ.get("EMOTION_FER2013") or beside).resolve()
    if not (root / "data").is_dir():
        pytest.skip(f"FER-2013 is not at {root}; set EMOTION_FER2013 to its folder")
    return root


@pytest.fixture(scope="session")
def fer2013_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder for the real FER-2013, so that all tests and workers decode it once."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "fer2013-cache"


@pytest.fixture(scope="session")
def photographs(fer2013_root: Path) -> Path:
    """Whole photographs beside the real FER-2013, for tests marked ``real_data``."""
    folder = fer2013_root.parent / "photos"
    if not folder.is_dir():
        pytest.skip(f"there are no photographs in {folder}")
    return folder


@pytest.fixture(scope="session")
def load_benchmark() -> Callable[[str], ModuleType]:
    """Import a module of ``benchmarks`` by its name there, as ``training.seeds``."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(ROOT))
        try:
            importlib.import_module("benchmarks")
        finally:
            sys.path.pop(0)
        return importlib.import_module(f"benchmarks.{name}")

    return load


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """Playwright, to launch browsers: once in a process, which then has a running event loop."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def get_exit_code() -> Callable[[Callable[[list[str]], object], list[str]], object]:
    """``get_exit_code(main, words)``: what a command returns, or what it exits with."""

    def get(main: Callable[[list[str]], object], words: list[str]) -> object:
        try:
            return main(words)
        except SystemExit as stop:
            return stop.code

    return get


@pytest.fixture(scope="session")
def run_benchmark() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a module of ``benchmarks`` as a command, in a folder of choice."""

    def run(name: str, *words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *words],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def load_script() -> Callable[[Path], ModuleType]:
    """Import a script that lies in no package."""

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.pop(0)
        return module

    return load
