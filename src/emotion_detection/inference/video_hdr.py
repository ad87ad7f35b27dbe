"""HDR video (HLG and PQ) and wide gamuts to standard dynamic range, BT.709.

Signals are linearized by ITU-R BT.2100. White is 203 cd/m² (ITU-R BT.2408), and brighter light is
compressed into the top of the range. The result is encoded for a display of gamma 2.4 (BT.1886).
"""

import itertools
import os
import tempfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av import VideoFrame

_PQ, _HLG = 16, 18
_TRANSFERS = (_PQ, _HLG)
"""Numbers of transfer functions and primaries are those of ITU-T H.273."""

_LUMINANCE_OF_WHITE = 203.0
_HLG_PEAK = 1000.0
_DISPLAY_GAMMA = 2.4
_KNEE = 0.8
"""Linear light (1 is white) above which highlights are compressed."""
_CUBE = 33
"""Points of the lookup table along each axis."""

_BT709_FROM: dict[int, tuple[tuple[float, float, float], ...]] = {
    # BT.2020 (ITU-R BT.2087)
    9: (
        (1.660491, -0.587641, -0.072850),
        (-0.124550, 1.132900, -0.008349),
        (-0.018151, -0.100579, 1.118730),
    ),
    # Display P3 (SMPTE EG 432-1)
    12: (
        (1.224940, -0.224940, 0.0),
        (-0.042057, 1.042057, 0.0),
        (-0.019638, -0.078636, 1.098274),
    ),
}
_BT2020 = 9

Light = npt.NDArray[np.float64]


def needs_tone_mapping(frame: "VideoFrame") -> bool:
    """Return True if a frame's colours are not those of standard dynamic range, BT.709."""
    return int(frame.color_trc) in _TRANSFERS or int(frame.color_primaries) in _BT709_FROM


class ToneMapper:
    """Maps frames by a lookup table; one filter graph for all frames of one kind."""

    def __init__(self) -> None:
        self._kind: tuple[Any, ...] = ()
        self._graph: Any = None

    def map(self, frame: "VideoFrame") -> "VideoFrame":
        """Return the frame in standard dynamic range, RGB, of the same size."""
        transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
        kind = (frame.width, frame.height, frame.format.name, transfer, primaries)
        if kind != self._kind:
            self._graph, self._kind = _build_graph(frame, transfer, primaries), kind
        self._graph.push(frame)
        mapped: VideoFrame = self._graph.pull()
        return mapped


def _build_graph(frame: "VideoFrame", transfer: int, primaries: int) -> Any:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    handle, path = tempfile.mkstemp(suffix=".cube")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(_cube_text(transfer, primaries))
        steps = [source]
        steps.append(graph.add("scale", "flags=bicubic"))
        steps.append(graph.add("format", "gbrp10le"))
        steps.append(graph.add("lut3d", file=path, interp="tetrahedral"))
        steps.append(graph.add("format", "rgb24"))
        steps.append(graph.add("buffersink"))
        for one, following in itertools.pairwise(steps):
            one.link_to(following)
        graph.configure()
    finally:
        os.unlink(path)
    return graph


@lru_cache(maxsize=4)
def _cube_text(transfer: int, primaries: int) -> str:
    """Return the lookup table as the text of a .cube file: red varies fastest."""
    axis = np.linspace(0, 1, _CUBE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    codes = map_codes(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer, primaries)
    lines = (f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in codes)
    return "\n".join([f"LUT_3D_SIZE {_CUBE}", *lines, ""])


def map_codes(codes: Light, transfer: int, primaries: int) -> Light:
    """Map coded RGB to coded RGB of standard dynamic range.

    Args:
        codes: (N, 3), 0 to 1.
        transfer: H.273's number of the transfer function; PQ and HLG are HDR.
        primaries: H.273's number of the primaries.

    Returns:
        (N, 3), 0 to 1, BT.709.
    """
    if transfer in _TRANSFERS:
        light = (_pq_light(codes) if transfer == _PQ else _hlg_light(codes)) / _LUMINANCE_OF_WHITE
    else:
        light = codes**_DISPLAY_GAMMA
    matrix = np.array(_BT709_FROM.get(primaries, np.eye(3)))
    light = _into_gamut(light @ matrix.T)
    if transfer in _TRANSFERS:
        light = _compress_highlights(light, 1000.0 / _LUMINANCE_OF_WHITE)
    mapped: Light = np.clip(light, 0, 1) ** (1 / _DISPLAY_GAMMA)
    return mapped


def _pq_light(codes: Light) -> Light:
    """Return cd/m² by the PQ EOTF (BT.2100, table 4)."""
    power = codes ** (1 / 78.84375)
    ratio = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    light: Light = 10_000 * ratio ** (1 / 0.1593017578125)
    return light


def _hlg_light(codes: Light) -> Light:
    """Return cd/m² by the HLG EOTF for a display of 1,000 cd/m² (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    light: Light = _HLG_PEAK * np.maximum(luminance, 1e-9)[:, None] ** 0.2 * scene
    return light


def _into_gamut(light: Light) -> Light:
    """Mix colours outside of BT.709 with grey of their luminance until no band is negative."""
    grey = np.maximum(light @ np.array([0.2126, 0.7152, 0.0722]), 0)[:, None]
    lowest = light.min(axis=1, keepdims=True)
    share = np.where(lowest < 0, grey / np.maximum(grey - lowest, 1e-12), 1.0)
    mixed: Light = grey + share * (light - grey)
    return mixed


def _compress_highlights(light: Light, peak: float) -> Light:
    """Compress light between the knee and the peak into the room below 1, keeping the hue.

    The slope is 1 at the knee and the curve reaches 1 at the peak.
    """
    most = light.max(axis=1, keepdims=True)
    room, reach = 1 - _KNEE, peak - _KNEE
    above = np.clip(most - _KNEE, 0, reach)
    # room * x * (1 + k x) / (room + x), with k chosen so that x = reach gives room
    bend = (room / reach) ** 2
    pressed = _KNEE + above * (1 + above * bend / room) / (1 + above / room)
    scale = np.where(most > _KNEE, pressed / np.maximum(most, 1e-12), 1.0)
    compressed: Light = light * scale
    return compressed
