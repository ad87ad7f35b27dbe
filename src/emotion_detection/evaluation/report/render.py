"""Render the templates in ``templates/``: the page of a report, and the model card.

All values in ``.html.j2`` are escaped, but for the drawings of plots and the style sheet.
"""

import base64
import functools
import io
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError, select_autoescape

from emotion_detection.config import ALL
from emotion_detection.evaluation.card_facts import FILTERS
from emotion_detection.evaluation.evaluate import is_shipped
from emotion_detection.evaluation.groups import LEAST_PEOPLE
from emotion_detection.evaluation.plot_style import SvgPlot
from emotion_detection.evaluation.saved_tests import read_prior, read_views
from emotion_detection.metrics.statistics import DRAWS

FaceImageReader = Callable[[int], npt.NDArray[np.uint8] | None]
Values = Mapping[str, Any]

TALLEST = 96
"""Maximum size of a face in the page in pixels; larger ones are reduced."""

LARGEST = 4_000_000
"""Maximum bytes of a contact sheet in the page; a larger one is only named."""


DAMAGED = (UndefinedError, LookupError, TypeError, ValueError, AttributeError)
"""Errors of values of other kinds than a test writes, as in files that were edited by hand."""


class Section(NamedTuple):
    """A section of the page.

    Args:
        id: its name in links.
        title: its heading.
        template: name of the file in ``templates/sections/``.
        comparison: the facts of the comparison and of the other model; None in other sections.
    """

    id: str
    title: str
    template: str
    comparison: tuple[Values, Values] | None = None


_FIRST = Section("headline", "Results", "headline")
_OTHERS = (
    Section("training", "Training", "training"),
    Section("classes", "Each class", "classes"),
    Section("sureness", "Calibration", "calibration"),
    Section("faces", "Faces to look at", "faces"),
    Section("intensity", "Intensity and votes", "intensity"),
    Section("robustness", "Robustness", "robustness"),
    Section("groups", "Groups of people", "groups"),
    Section("data", "The data", "data"),
    Section("methods", "Methods", "methods"),
)


def render_report(
    facts: Values, plots: Mapping[str, SvgPlot], read_image: FaceImageReader | None
) -> str:
    """Return the page of a report.

    Args:
        facts: content of ``report.json``.
        plots: the plots of the facts, by name.
        read_image: row of the first model's test -> pixels uint8 (C, H, W), or None; None: the
            faces could not be opened.
    """
    pairs = zip(facts["comparisons"], facts["models"][1:], strict=True)
    beside = [
        Section(f"beside-{place}", f"Beside {pair[0]['second']}", "comparison", pair)
        for place, pair in enumerate(pairs, 1)
    ]

    def image(row: int) -> str | None:
        """Return a face as data URI."""
        pixels = read_image(row) if read_image else None
        return None if pixels is None else encode_png(_draw_face(pixels))

    return render_template(
        "report.html.j2",
        facts=facts,
        first=facts["models"][0],
        test=facts["models"][0]["test"],
        sections=[_FIRST, *beside, *_OTHERS],
        plots=plots,
        image=image,
        has_images=read_image is not None,
        style=(resources.files(__package__) / "style.css").read_text(encoding="utf-8"),
    )


def render_template(name: str, **values: Any) -> str:
    """Return a filled template.

    Args:
        name: name of the file in ``templates/``.
        values: the values in it.
    """
    return _environment().get_template(name).render(values)


@functools.cache
def _environment() -> Environment:
    """Return what all templates share: escaping, filters, and facts of the package."""
    found = Environment(
        loader=PackageLoader("emotion_detection.evaluation.report"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        extensions=["jinja2.ext.do"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["name_split"] = name_split
    found.filters["thousands"] = "{:,}".format
    found.filters["markdown"] = escape_markdown
    found.filters["code_span"] = quote_code
    found.tests["finite"] = lambda value: value is not None and math.isfinite(value)
    found.globals |= {
        "FILTERS": FILTERS,
        "LEAST_PEOPLE": LEAST_PEOPLE,
        "DRAWS": DRAWS,
        "add_option": add_option_to_command,
        "audit_command": build_audit_command,
        "find_best_epoch": find_best_epoch,
        "find_extremes": find_extremes,
        "is_shipped": lambda model: isinstance(model, str) and is_shipped(Path(model)),
        "mean_accuracies": compute_mean_accuracies,
        "read_prior": read_prior,
        "read_sheet": read_sheet,
        "read_views": read_views,
    }
    return found


def name_split(split: str) -> str:
    """Return the words for a split, or for the faces of all splits."""
    return "all faces" if split == ALL else f"{split} split"


def escape_markdown(name: object) -> str:
    """Return a name as one line of Markdown, without the marks of tables, links, code and HTML."""
    return re.sub(r"[\\`|\[<]", r"\\\g<0>", " ".join(str(name).split()))


def quote_code(command: object) -> str:
    """Return a command as a code span of Markdown, whatever backticks are in it."""
    text = " ".join(str(command).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def add_option_to_command(test: Values, *words: str, out: str | None = None) -> str:
    """Return the test's command with an option added or changed.

    Args:
        test: the test's metrics.
        words: the option, and a value if it takes one.
        out: folder for the results; None: the default.
    """
    said = shlex.split(test.get("command") or "emotion test --model MODEL")
    if words[0] in said:
        place = said.index(words[0])
        del said[place : place + len(words)]
    return shlex.join([*said, *words, *(["--out", out] if out else [])])


def build_audit_command(test: Values) -> str:
    """Return the command that audits the data of a test."""
    label_set = test["data"].get("label_set")
    words = ["emotion", "data", "audit", str(test["data"]["source"])]
    words += ["--labels", label_set] if label_set in ("fer2013", "ferplus") else []
    return shlex.join([*words, "--out", "audit"])


def find_best_epoch(rows: Sequence[Values]) -> Values:
    """Return the epoch with the highest validation accuracy."""
    return max(rows, key=lambda row: row.get("val_accuracy") or 0.0)


def find_extremes(per_class: Values) -> tuple[str, str]:
    """Return the classes with the lowest and the highest recall, among those with faces."""
    recall = {name: one["recall"]["value"] for name, one in per_class.items() if one["n"]}
    return min(recall, key=lambda name: recall[name]), max(recall, key=lambda name: recall[name])


def compute_mean_accuracies(corruptions: Values) -> dict[str, float]:
    """Return the mean accuracy over the strengths of each corruption."""
    return {name: sum(one["accuracy"]) / len(one["accuracy"]) for name, one in corruptions.items()}


def read_sheet(place: str) -> str | None:
    """Return an audit's contact sheet as data URI, or None if it is too large for the page."""
    sheet = Path(place).read_bytes()
    return None if len(sheet) > LARGEST else encode_png(sheet)


def encode_png(png: bytes) -> str:
    """Return a PNG as data URI."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _draw_face(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a face as PNG; pixels are uint8 (C, H, W)."""
    from PIL import Image

    grey = len(pixels) == 1
    face = Image.fromarray(pixels[0] if grey else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    face.thumbnail((TALLEST, TALLEST))
    out = io.BytesIO()
    face.save(out, "PNG", optimize=True)
    return out.getvalue()
