"""Whatever happens to a folder, faces keep their splits and no run is tested on what it learnt."""

import itertools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PIL import Image

from emotion_detection.config import DataConfig, config_to_dict, data_config_fields
from emotion_detection.data import SPLITS, Dataset, load
from emotion_detection.errors import InputError
from emotion_detection.training.trained_faces import (
    ModelTrainingFaces,
    leave_out_trained,
    read_trained_faces,
    write_trained_faces,
)

pytestmark = pytest.mark.slow

CLASSES = ("happy", "sad")
FORMATS = {".png": {}, ".jpg": {"quality": 85}, ".webp": {"quality": 90}}


def draw_face(number: int) -> Image.Image:
    """Return a face that resembles no other: smooth blobs."""
    blocks = np.random.default_rng(number).integers(10, 246, (7, 7)).astype(np.uint8)
    return Image.fromarray(blocks).resize((48, 48), Image.Resampling.BICUBIC)


class FolderOfFaces(RuleBasedStateMachine):
    """A folder without splits, and what people do with it."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="faces-stay-"))
        self.data = self.place / "faces"
        self.numbers = itertools.count()
        self.files: dict[Path, int] = {}  # whose face each file is
        self.places: dict[int, str] = {}  # the split of each face, once it was drawn
        self.runs: list[
            tuple[ModelTrainingFaces, dict[str, set[int]]]
        ] = []  # with the faces of each split

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    def config(self) -> DataConfig:
        return DataConfig(data=str(self.data), cache=str(self.place / "cache"))

    def put(self, number: int, suffix: str = ".png", name: str = "") -> None:
        folder = self.data / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name or number}{suffix}"
        draw_face(number).save(path, **FORMATS[suffix])
        self.files[path] = number

    def pick(self, place: int) -> Path:
        return sorted(self.files)[place % len(self.files)]

    def faces_in(self, name: str, dataset=None) -> list[int]:
        dataset = dataset or load(self.config())
        if not dataset.sizes[name]:
            return []
        return [self.files[self.data / file] for file in dataset.split(name).names]

    @initialize()
    def collect(self) -> None:
        self.add(16)

    @rule(count=st.integers(1, 8))
    def add(self, count: int) -> None:
        for _ in range(count):
            self.put(next(self.numbers))

    @rule(places=st.lists(st.integers(0, 99), min_size=1, max_size=4))
    def remove(self, places: list[int]) -> None:
        for place in places:
            if len(self.files) > 10:
                path = self.pick(place)
                path.unlink()
                del self.files[path]

    @rule(place=st.integers(0, 99))
    def rename(self, place: int) -> None:
        path = self.pick(place)
        other = path.with_name(f"0{next(self.numbers) * 2}{path.suffix}")
        self.files[path.rename(other)] = self.files.pop(path)

    @rule(place=st.integers(0, 99), suffix=st.sampled_from(sorted(FORMATS)))
    def encode_anew(self, place: int, suffix: str) -> None:
        path = self.pick(place)
        number = self.files.pop(path)
        path.unlink()
        self.put(number, suffix, f"r{next(self.numbers)}")

    @rule(place=st.integers(0, 99), suffix=st.sampled_from(sorted(FORMATS)))
    def copy(self, place: int, suffix: str) -> None:
        self.put(self.files[self.pick(place)], suffix, f"c{next(self.numbers)}")

    @rule()
    def move_folder(self) -> None:
        other = self.place / f"moved-{next(self.numbers)}"
        self.data.rename(other)
        self.files = {other / path.relative_to(self.data): n for path, n in self.files.items()}
        self.data = other

    @rule()
    def clear_cache(self) -> None:
        shutil.rmtree(self.place / "cache", ignore_errors=True)
        self.places = {}

    @rule(start=st.booleans())
    def train(self, start: bool) -> None:
        """Keep what a training keeps of its faces; from the last run where there is one."""
        config = self.config()
        sources = self.runs[-1:] if start else []
        dataset = self.unseen(load(config), "validation", [run for run, _ in sources])
        if dataset is None:
            return
        splits = {name: dataset.split(name) for name in ("train", "validation")}
        faces = {name: set(self.faces_in(name, dataset)) for name in splits}
        folder = self.place / f"run-{len(self.runs)}"
        known = [read_trained_faces(run.path) for run, _ in sources]
        write_trained_faces(folder, splits, [one for one in known if one is not None])
        for _, learnt in sources:
            assert not faces["validation"] & learnt["train"]
            faces = {name: own | learnt[name] for name, own in faces.items()}
        record = {"hash": dataset.hash, "options": data_config_fields(config_to_dict(config))}
        self.runs.append((ModelTrainingFaces(folder / "best.ckpt", record, "RUN"), faces))

    def unseen(
        self, dataset: Dataset, split: str, runs: list[ModelTrainingFaces]
    ) -> Dataset | None:
        """Return what is left of a dataset for some runs; None: they have seen all of the split."""
        try:
            return leave_out_trained(dataset, split, runs, self.config())
        except InputError:
            return None

    @invariant()
    def every_face_stays_and_no_run_is_tested_on_its_own(self) -> None:
        if not self.files:
            return
        config = self.config()
        dataset = load(config)
        places: dict[int, set[str]] = {}
        for name in SPLITS:
            for number in self.faces_in(name, dataset):
                places.setdefault(number, set()).add(name)
        # a copy is where its original is
        assert all(len(own) == 1 for own in places.values())
        for number, own in places.items():
            assert self.places.setdefault(number, *own) in own
        for run, learnt in self.runs:
            tested = self.unseen(dataset, "test", [run])
            left = set() if tested is None else set(self.faces_in("test", tested))
            assert not left & (learnt["train"] | learnt["validation"])


TestFolderOfFaces = FolderOfFaces.TestCase
TestFolderOfFaces.settings = settings(
    max_examples=6,
    stateful_step_count=9,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
