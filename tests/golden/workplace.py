"""A folder with images, clips, datasets and a trained run, and the commands run in it.

Everything is made by code: synthetic faces, and the public-domain portrait in ``docs/images``.
Commands run in this process with relative paths, so that their output does not depend on the place.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

import emotion_detection
from emotion_detection import EmotionDetector, __version__
from emotion_detection.cli import main
from emotion_detection.data.synthetic import make_synthetic_faces

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT = ROOT / "docs" / "images" / "astronaut.jpg"
PACKAGE = Path(emotion_detection.__file__).parent
VOLATILE = {
    *("seconds", "started", "finished", "date", "code", "packages", "python", "machine"),
    *("onnx_difference", "sha256", "fit_seconds", "fit_cpu_seconds"),
}
"""Keys of records whose values differ from run to run or from machine to machine."""

OWN_CLASSES = ("bored", "keen", "tired")

Writers = dict[str, Callable[..., Path]]


class Workplace:
    """What the cases are made from; each part is made when a case first asks for it.

    Args:
        folder: an empty folder.
        tiny: faces, labels and usages of a tiny FER-2013.
        tiny_faces: ``tiny_faces(count, seed, size)`` returns more such faces.
        writers: the functions of ``tests/conftest.py`` that write datasets, by fixture name.
    """

    def __init__(
        self, folder: Path, tiny: Any, tiny_faces: Callable[..., np.ndarray], writers: Writers
    ) -> None:
        self.folder = folder
        self.tiny = tiny
        self.tiny_faces = tiny_faces
        self.write = writers

    def run(self, *words: str) -> dict[str, Any]:
        """Run ``emotion`` in the folder; return exit code, output and errors as lines."""
        out, err = _Text(), _Text()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch.dict(os.environ, COLUMNS="80"),
            patch.object(sys, "argv", ["emotion", *words]),  # a run records its command
        ):
            try:
                code: Any = main(list(words))
            except SystemExit as stop:
                code = stop.code
        return {
            "command": " ".join(["emotion", *words]),
            "exit_code": code,
            "out": out.getvalue().splitlines(),
            "err": err.getvalue().splitlines(),
        }

    def plain(self, value: Any) -> Any:
        """Return what JSON keeps of a value, with six digits, volatile parts masked."""
        if isinstance(value, dict):
            return {
                self._mask(str(name)): "<masked>" if name in VOLATILE else self.plain(own)
                for name, own in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.plain(own) for own in value]
        if isinstance(value, float):
            return float(f"{value:.6g}")
        return self._mask(value) if isinstance(value, str) else value

    def _mask(self, text: str) -> str:
        """Replace what differs from run to run: folders, the version, durations, tiny numbers."""
        text = text.replace(str(self.folder), "<folder>").replace(str(PACKAGE), "<package>")
        text = text.replace(__version__, "<version>")
        text = re.sub(r"\b[0-9a-f]{24}\b", "<cache key>", text)  # of paths and times of files
        text = re.sub(r"\b\d(\.\d+)?e[-+]\d+\b", "<tiny>", text)
        return re.sub(r"\bin \d+(\.\d+)? s\b", "in <time> s", text)

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the folder."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def names(self, name: str) -> list[str]:
        """List the files below a folder."""
        place = self.folder / name
        return sorted(path.relative_to(place).as_posix() for path in place.rglob("*.*"))

    @cached_property
    def detector(self) -> EmotionDetector:
        """The shipped model."""
        return EmotionDetector(threads=1)

    @cached_property
    def group(self) -> np.ndarray:
        """Three synthetic faces on a coloured ground, uint8 (300, 800, 3)."""
        canvas = Image.new("RGB", (800, 300), (128, 140, 120))
        places = [(60, 40, 160), (330, 90, 120), (560, 30, 200)]
        for face, (x, y, size) in zip(make_synthetic_faces(3, seed=3).faces, places, strict=True):
            canvas.paste(Image.fromarray(face).convert("RGB").resize((size, size)), (x, y))
        return np.asarray(canvas)

    @cached_property
    def portrait(self) -> np.ndarray:
        """The portrait of an astronaut (NASA, public domain), uint8 (512, 512, 3)."""
        return np.asarray(Image.open(PORTRAIT).convert("RGB"))

    @cached_property
    def images(self) -> str:
        """Folder with whole images of many kinds, some of them damaged."""
        folder = self.folder / "images"
        folder.mkdir()
        group, portrait = Image.fromarray(self.group), Image.fromarray(self.portrait)
        (folder / "astronaut.jpg").write_bytes(PORTRAIT.read_bytes())
        portrait.crop((120, 20, 320, 220)).save(folder / "head.png")
        portrait.crop((215, 20, 420, 260)).save(folder / "cut.png")
        portrait.resize((96, 96)).save(folder / "small.png")
        portrait.transpose(Image.Transpose.ROTATE_180).save(folder / "upside-down.webp", quality=90)
        pair = Image.new("RGB", (1200, 512), "white")
        pair.paste(portrait, (0, 0))
        pair.paste(portrait.resize((400, 400)), (700, 60))
        pair.save(folder / "pair.jpg", quality=92)
        group.save(folder / "group.png")
        group.save(folder / "lossy.jpg", quality=60)
        group.convert("L").save(folder / "grey.png")
        group.convert("CMYK").save(folder / "cmyk.jpg")
        group.convert("P").save(folder / "palette.gif")
        sixteen = np.asarray(group.convert("L")).astype(np.uint16) * 257
        Image.fromarray(sixteen).save(folder / "sixteen-bit.png")
        transparent = group.convert("RGBA")
        transparent.putalpha(Image.linear_gradient("L").resize(group.size))
        transparent.save(folder / "transparent.png")
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.rot90(self.group)).save(folder / "turned.jpg", exif=exif, quality=95)
        frames = [Image.new("RGB", group.size), group]
        group.save(folder / "animated.webp", save_all=True, append_images=frames, lossless=True)
        group.save(folder / "=1+1.bmp")
        group.resize((200, 75)).save(folder / "Gr\u00fc\u00dfe.tiff")
        Image.new("RGB", (300, 200), "navy").save(folder / "plain.png")
        Image.new("L", (3, 2), 90).save(folder / "tiny.png")
        whole = (folder / "lossy.jpg").read_bytes()
        (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
        (folder / "text.png").write_text("no image")
        (folder / "empty.jpg").write_bytes(b"")
        return "images"

    @cached_property
    def crops(self) -> str:
        """Folder with twelve face crops."""
        folder = self.folder / "crops"
        folder.mkdir()
        for number, face in enumerate(make_synthetic_faces(11, seed=4).faces):
            Image.fromarray(face).save(folder / f"{number:02d}.png")
        head = Image.fromarray(self.portrait).crop((175, 45, 275, 175))
        head.save(folder / "astronaut.png")
        return "crops"

    @cached_property
    def clips(self) -> list[str]:
        """Two clips: a camera that pans over the portrait, and two synthetic people."""
        panned = [self.portrait[10:250, 60 + 8 * at : 380 + 8 * at] for at in range(6)]
        self._write_clip("pan.mkv", np.stack(panned))
        stage = np.full((10, 240, 320, 3), (90, 110, 130), np.uint8)
        first, second = (
            np.asarray(Image.fromarray(face).convert("RGB").resize((130, 130)))
            for face in make_synthetic_faces(2, seed=3).faces
        )
        for at, frame in enumerate(stage):
            frame[20:150, 5 + 3 * at : 135 + 3 * at] = first
            if at >= 4:
                frame[100:230, 180:310] = second
        times = [at / 10 + (0.35 if at > 7 else 0) for at in range(len(stage))]
        self._write_clip("two.mp4", np.rot90(stage, axes=(1, 2)), times, rotation=270)
        return ["pan.mkv", "two.mp4"]

    def _write_clip(
        self, name: str, pixels: np.ndarray, times: list[float] | None = None, rotation: int = 0
    ) -> None:
        import av

        with av.open(str(self.folder / name), "w") as out:
            lossless = {"qp": "0", "preset": "ultrafast"}
            stream: Any = out.add_stream("libx264rgb", rate=10, options=lossless)
            stream.height, stream.width = pixels.shape[1:3]
            stream.pix_fmt = "rgb24"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                stream.set_display_rotation(rotation)
            for at, rgb in enumerate(pixels):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
                frame.time_base = stream.time_base
                frame.pts = round((at / 10 if times is None else times[at]) / stream.time_base)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

    def write_faces(self, name: str) -> str:
        """Write a fer2013.csv with something to learn into a folder: 112, 28 and 56 faces."""
        usages = ["Training"] * 112 + ["PublicTest"] * 28 + ["PrivateTest"] * 56
        labels = [row % 7 for row in range(196)]
        faces = self.tiny_faces(196, seed=1)
        for face, label in zip(faces, labels, strict=True):
            face[:, :24] = face[:, :24] // 4 + np.uint8(30 * label)
        faces[140:142] = faces[:2]  # two test faces are copies of training faces
        self.write["write_csv"](self.folder / name, faces, labels, usages)
        return name

    @cached_property
    def training(self) -> dict[str, Any]:
        """Train models/golden: interrupted in the second of two epochs, then resumed.

        The ONNX file takes longer than all else; the case ``onnx-file`` exports it.
        """
        words = [
            "--data",
            self.write_faces("faces"),
            "--name",
            "golden",
            "--size",
            "16",
            "--epochs",
            "2",
        ]
        words += ["--batch_size", "8", "--schedule", "cosine", "--dropout", "0", "--seed", "7"]
        words += [
            "--learning_rate",
            "0.003",
            "--cache",
            "training-cache",
            "--trainer.accelerator",
            "cpu",
        ]
        words += ["--trainer.enable_progress_bar", "false"]
        with patch("emotion_detection.training.final_steps.export_onnx", lambda *_: 0.0):
            with _interrupt_at_step(20):
                interrupted = self.run("train", *words)
            resumed = self.run("train", "--resume", "models/golden")
        return {"interrupted": interrupted, "resumed": resumed}

    @cached_property
    def model(self) -> str:
        """The trained run."""
        assert self.training["resumed"]["exit_code"] == 0, self.training
        return "models/golden"

    @contextlib.contextmanager
    def server(self) -> Iterator[str]:
        """Run ``emotion serve`` with small limits; yield its address."""
        words = ["serve", "--port", "0", "--workers", "1", "--max_bytes", "600000"]
        words += ["--max_pixels", "500000", "--max_pictures", "2"]
        command = [sys.executable, "-m", "emotion_detection", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=self.folder) as own:
            try:
                assert own.stdout is not None
                for line in own.stdout:
                    if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                        yield found[0]
                        return
                raise AssertionError(own.communicate()[1])
            finally:
                own.kill()


class _Text(io.StringIO):
    """Text of a command that is no terminal."""

    def isatty(self) -> bool:
        return False


@contextlib.contextmanager
def _interrupt_at_step(number: int) -> Iterator[None]:
    """Interrupt training, as Ctrl-C does, before a step of the optimizer."""
    import torch

    original, steps = torch.optim.Adam.step, 0

    def step(self: Any, closure: Any = None) -> Any:
        nonlocal steps
        steps += 1
        if steps == number:
            raise KeyboardInterrupt
        return original(self, closure)

    with patch.object(torch.optim.Adam, "step", step):
        yield
