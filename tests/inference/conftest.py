"""Tiny ONNX files in this project's format, made by hand, with the scores they must give."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from emotion_detection.labels import FER2013, FERPLUS


@dataclass(frozen=True)
class Made:
    """A file, and what its network computes, in NumPy."""

    path: Path
    weights: dict[str, np.ndarray]

    def scores(self, faces: np.ndarray, output: str = "scores") -> np.ndarray:
        """Return the softmax of pixels times weights, for faces uint8 (N, C, H, W)."""
        logits = (faces.reshape(len(faces), -1) / 255) @ self.weights[output]
        power = np.exp(logits - logits.max(axis=1, keepdims=True))
        return power / power.sum(axis=1, keepdims=True)

    def intensity(self, faces: np.ndarray) -> np.ndarray:
        """Return each face's mean brightness, 0 to 1."""
        return faces.reshape(len(faces), -1).mean(axis=1) / 255


def _metadata(size: int, channels: int, also: dict[str, Any]) -> dict[str, str]:
    declared = {
        "layout": "NCHW",
        "dtype": "uint8",
        "channels": channels,
        "height": size,
        "width": size,
        "color": "grey" if channels == 1 else "RGB",
    }
    values = {"labels": FERPLUS, "label_set": "ferplus", "also": also, "input": declared}
    more = {"temperature": 1.0, "training_data": {}, "metrics": {}, "network": "none"}
    texts = {name: json.dumps(value) for name, value in (values | more).items()}
    return {**texts, "parameters": "1", "version": "0.0"}


def _write_onnx(
    path: Path,
    size: int = 48,
    channels: int = 1,
    also: bool = True,
    intensity: bool = True,
    metadata: dict[str, str | None] | None = None,
    change: Callable[[onnx.ModelProto], None] | None = None,
) -> Made:
    generator = np.random.default_rng(size)
    pixels = channels * size * size
    classes = {"scores": len(FERPLUS)} | ({"scores_fer2013": len(FER2013)} if also else {})
    # weights of one class that mostly differ from another's sum to 0: scores depend on the face
    weights = {
        name: (generator.normal(size=(pixels, count)) / size * 2).astype(np.float32)
        for name, count in classes.items()
    }
    held = {name: numpy_helper.from_array(value, f"w_{name}") for name, value in weights.items()}
    scale = numpy_helper.from_array(np.float32(255), "white")
    last = numpy_helper.from_array(np.array([1]), "last")
    nodes = [
        helper.make_node("Cast", ["faces"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["numbers", "white"], ["unit"]),
        helper.make_node("Flatten", ["unit"], ["flat"], axis=1),
    ]
    outputs = []
    for name, count in classes.items():
        nodes.append(helper.make_node("MatMul", ["flat", f"w_{name}"], [f"logits_{name}"]))
        nodes.append(helper.make_node("Softmax", [f"logits_{name}"], [name], axis=1))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count]))
    if intensity:
        nodes.append(helper.make_node("ReduceMean", ["flat", "last"], ["intensity"], keepdims=0))
        outputs.append(helper.make_tensor_value_info("intensity", TensorProto.FLOAT, ["N"]))
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", channels, size, size])
    graph = helper.make_graph(nodes, "tiny", [faces], outputs, [*held.values(), scale, last])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    own = _metadata(size, channels, {"fer2013": list(FER2013)} if also else {})
    texts = {**own, **(metadata or {})}
    helper.set_model_props(model, {k: text for k, text in texts.items() if text is not None})
    if change:
        change(model)
    path.write_bytes(model.SerializeToString())
    return Made(path, weights)


@pytest.fixture(scope="session")
def write_onnx() -> Callable[..., Made]:
    """``write_onnx(path, size, channels, also, intensity, metadata, change)`` -> :class:`Made`."""
    return _write_onnx


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """FER+'s and FER-2013's labels and intensity, of grey faces of 48 pixels."""
    return _write_onnx(tmp_path_factory.mktemp("grey") / "model.onnx")


@pytest.fixture(scope="session")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """FER+'s labels alone, of RGB faces of 32 pixels."""
    path = tmp_path_factory.mktemp("colour") / "model.onnx"
    return _write_onnx(path, size=32, channels=3, also=False, intensity=False)


def _write_clip(
    path: Path,
    pixels: np.ndarray,
    rate: int = 25,
    times: Sequence[float] | None = None,
    codec: str = "libx264rgb",
    options: dict[str, str] | None = None,
    sound: str | None = None,
    prepare: Callable[[Any], None] | None = None,
) -> Path:
    av = pytest.importorskip("av", reason="needs the extra 'video'")
    lossless = {"qp": "0", "preset": "ultrafast"} if "264" in codec else {"qscale": "2"}
    with av.open(str(path), "w", container_options=options) as out:
        video = out.add_stream(codec, rate=rate, options=lossless)
        video.height, video.width = pixels.shape[1:3]
        video.pix_fmt = "rgb24" if codec == "libx264rgb" else "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        if codec == "mpeg4":  # AVI counts frames
            video.time_base = video.codec_context.time_base = Fraction(1, rate)
        if prepare is not None:
            prepare(video)
        audio = None if sound is None else out.add_stream(sound, rate=48_000)
        for at, rgb in enumerate(pixels):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            moment = at / rate if times is None else times[at]
            frame.time_base = video.time_base
            frame.pts = round(moment / video.time_base)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            _add_tone(av, out, audio, len(pixels) / rate)
    return path


def _add_tone(av: Any, out: Any, audio: Any, seconds: float) -> None:
    """Add 440 Hz, mono; written in pieces that encoders take."""
    wave = (np.sin(2 * np.pi * 440 * np.arange(round(48_000 * seconds)) / 48_000) * 9000).astype(
        np.int16
    )
    for start in range(0, len(wave), 960):
        piece = av.AudioFrame.from_ndarray(wave[None, start : start + 960], "s16", "mono")
        piece.sample_rate, piece.pts = 48_000, start
        piece.time_base = Fraction(1, 48_000)
        out.mux(audio.encode(piece))
    out.mux(audio.encode(None))


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    """``write_clip(path, pixels (N, H, W, 3), rate, times, codec, options, sound, prepare)``.

    Without loss by default; ``prepare`` is given the stream before the first frame.
    """
    return _write_clip


@pytest.fixture(scope="session")
def squares() -> Callable[..., np.ndarray]:
    """``squares(count, width, height)``: a bright square that moves two pixels a frame."""

    def draw(count: int, width: int = 96, height: int = 64) -> np.ndarray:
        pixels = np.full((count, height, width, 3), 30, np.uint8)
        for at in range(count):
            pixels[at, 20:44, 4 + 2 * at : 28 + 2 * at] = (230, 200, 40)
        return pixels

    return draw
