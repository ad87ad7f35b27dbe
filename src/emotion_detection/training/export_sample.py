"""Faces that an ONNX file is compared with torch on, kept with the run: export needs no data."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.data.synthetic import draw_blocks
from emotion_detection.io.files import write_atomic
from emotion_detection.training.network import ModelSpec

SAMPLE = 256
"""Most validation faces that an exported file is compared on."""

_FILE = "sample.npy"
_MOST_BYTES = 2_000_000
_LEAST = 8
_SYNTHETIC = 64

Images = npt.NDArray[np.uint8]


def choose_sample_rows(count: int, most: int = SAMPLE) -> npt.NDArray[np.int64]:
    """Return the rows of a sample, int64 (at most ``most``,), evenly over ``count`` rows."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def keep_sample(run: Path, sample: Images) -> None:
    """Save a sample of at most about 2 MB in the run's folder.

    Args:
        run: ``models/RUN``.
        sample: faces of the validation split, uint8 (N, C, H, W).

    Raises:
        OSError: it cannot be written.
    """
    most = max(_LEAST, _MOST_BYTES // sample[0].size)
    content = io.BytesIO()
    np.save(content, sample[choose_sample_rows(len(sample), most)])
    write_atomic(run / _FILE, content.getvalue())


def find_sample(run: Path, spec: ModelSpec) -> tuple[Images, str]:
    """Return faces for the comparison, and their origin: the run's sample, else synthetic.

    Args:
        run: folder of the checkpoint.
        spec: of the model; a sample of another shape is not taken.

    Returns:
        uint8 (N, C, H, W), and 'validation' or 'synthetic'.
    """
    shape = (spec.channels, spec.size, spec.size)
    try:
        sample = np.load(run / _FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # an older run, a checkpoint alone, a broken file
        sample = np.zeros(0)
    if sample.dtype == np.uint8 and sample.shape[1:] == shape and len(sample):
        return sample, "validation"
    grey = np.concatenate([block.faces for block in draw_blocks(_SYNTHETIC, 0, spec.size)])
    return np.repeat(grey[:, np.newaxis], spec.channels, axis=1), "synthetic"
