"""``emotion export``: write an ONNX file, a folder for the hub, or the web page.

``emotion export --web``: write the page and its networks as a folder for any web host.
"""

import json
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.errors import InputError, require_package
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.browser_export import (
    ABOUT,
    describe_browser_model,
    read_browser_files,
)
from emotion_detection.io.files import write_atomic
from emotion_detection.serving.built_page import INDEX, MISSING, find_page_folder, is_page_built

MODELS = "models"

_MARKS = (INDEX, f"{MODELS}/{ABOUT}")
"""Files of an earlier export."""


def export_page(folder: Path, model: str | None = None, labels: str | None = None) -> int:
    """Write the page as a static folder.

    Args:
        folder: new, empty, or of an earlier export, whose files are replaced.
        model: as for :class:`EmotionDetector`.
        labels: as for :class:`EmotionDetector`.

    Returns:
        Bytes written.

    Raises:
        InputError: the page is not built; there is no such model; the folder holds something else
            or cannot be written.
    """
    page = find_page_folder()
    if not is_page_built(page):
        raise InputError(MISSING)
    _check(folder)
    about = describe_browser_model(EmotionDetector(model, labels=labels))
    contents = {
        f"{MODELS}/{name}": file.content for name, file in read_browser_files(model).items()
    }
    contents[f"{MODELS}/{ABOUT}"] = (json.dumps(about, indent=1) + "\n").encode()
    contents |= {path.relative_to(page).as_posix(): path.read_bytes() for path in _files(page)}
    # the entry page last, so that it never refers to missing files
    index = contents.pop(INDEX)
    try:
        for name, content in {**contents, INDEX: index}.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return sum(map(len, contents.values())) + len(index)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _check(folder: Path) -> None:
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise InputError(f"--web {folder}: is a file; a folder is needed")
        if any(folder.iterdir()) and not all((folder / name).is_file() for name in _MARKS):
            raise InputError(
                f"--web {folder}: is not empty; name a new folder, or one of an earlier export"
            )
    except OSError as error:
        raise InputError(f"--web {folder}: cannot be read: {error.strerror or error}") from None


def run(words: list[str]) -> int:
    """Run ``emotion export``; print the file or the folder."""
    parsed = parse(_parser(), words)
    if parsed.model == "":
        raise InputError("RUN is empty: name a run folder")
    if parsed.hub is not None:
        return _export_hub(parsed)
    if parsed.web is None:
        return _export_onnx(parsed)
    if parsed.out is not None or parsed.data is not None:
        raise InputError("--out and --data: are of ONNX files; --web DIR takes neither")

    size = export_page(Path(parsed.web), parsed.model, parsed.labels)
    print(f"wrote {parsed.web} ({size / 1e6:.1f} MB): any web host can serve it")
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser(
        "export",
        "Write a run's best checkpoint as one ONNX file; with --hub, a model folder of the Hugging "
        "Face hub; with --web, the web page, which runs in the browser, as a folder for any web "
        "host.",
        "[OPTIONS] RUN",
    )
    add = parser.add_argument
    add(
        "model",
        type=str,
        nargs="?",
        metavar="RUN",
        help="run folder or checkpoint; with --hub also 'pretrained'; with --web: run folder, "
        "ONNX file or hf://USER/NAME, default: the shipped model",
    )
    add("--out", type=str, metavar="FILE", help="default: model.onnx beside the checkpoint")
    add(
        "--data",
        type=str,
        help="faces to compare PyTorch and ONNX on; default: the sample in the run folder",
    )
    add("--hub", type=str, metavar="DIR", help="folder for the Hugging Face hub")
    add("--web", type=str, metavar="DIR", help="folder for the page, new or of an earlier export")
    add("--labels", type=str, help="with --web: label set that the page shows")
    return parser


def _export_hub(parsed: Namespace) -> int:
    for option in ("out", "data", "web", "labels"):
        if getattr(parsed, option) is not None:
            raise InputError(f"--{option}: cannot be combined with --hub")
    if parsed.model is None:
        raise InputError("--hub: name the run to export, or 'pretrained' for the shipped model")
    require_package("'export'", "train", "torch", "pytorch_lightning", "onnx")
    from emotion_detection.evaluation.hub_export import NEW_CARD, export_hub

    written = export_hub(parsed.model, Path(parsed.hub))
    for path in written:
        print(f"  {path} ({path.stat().st_size / 1e6:.2f} MB)")
    if any(path.name == NEW_CARD for path in written):
        print(f"README.md was written or edited by hand and stays; the new card is {NEW_CARD}")
    print(f"wrote {parsed.hub}: 'hf upload USER/NAME {shlex.quote(parsed.hub)}' publishes it")
    return 0


def _export_onnx(parsed: Namespace) -> int:
    if parsed.labels is not None:
        raise InputError("--labels: is an option of --web; an ONNX file holds all label sets")
    if parsed.model is None:
        raise InputError("the following arguments are required: RUN, or --web DIR for the page")
    require_package("'export'", "train", "torch", "pytorch_lightning", "onnx")
    from emotion_detection.config import DataConfig, data_config_fields
    from emotion_detection.data import load
    from emotion_detection.training.checkpoint import load_trained
    from emotion_detection.training.export import (
        choose_sample_rows,
        export_onnx,
        find_sample,
        read_validation_metrics,
    )
    from emotion_detection.training_record import is_training_data

    trained = load_trained(parsed.model)
    out = Path(parsed.out) if parsed.out else trained.path.parent / "model.onnx"
    if out.suffix != ".onnx":
        raise InputError(f"--out {out}: the name must end in .onnx")
    data = trained.record.get("data", {})
    if not is_training_data(data):  # tests would reject an ONNX file with a damaged record
        raise InputError(f"{trained.path}: its record of the training data is damaged")
    if parsed.data is None:
        sample, kind = find_sample(trained.path.parent, trained.spec)
    else:
        options = data.get("options")
        if not options:
            raise InputError(f"{trained.path}: its data settings are missing: damaged")
        try:
            config = DataConfig(**data_config_fields(options | {"data": parsed.data}))
        except TypeError as error:
            raise InputError(
                f"{trained.path}: its data settings cannot be understood: {error}"
            ) from None
        faces = load(config).split("validation")
        sample, kind = faces.draw(choose_sample_rows(len(faces))), "validation"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: its folder cannot be made: {error.strerror}") from None
    difference = export_onnx(trained, out, sample, read_validation_metrics(trained.path))
    print(f"scores of {len(sample)} {kind} faces differ from torch's by {difference:.1g} at most")
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")
    return 0
