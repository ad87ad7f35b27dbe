"""``emotion export``: a run's best checkpoint -> one ONNX file; or the page -> a static folder."""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.errors import InputError, require
from emotion_detection.plain_values import read_json


def run(words: list[str]) -> int:
    """Export as the words say; print the file or the folder."""
    parsed = parse(_parser(), words)
    if parsed.web is None:
        return _export_onnx(parsed)
    if parsed.out is not None or parsed.data is not None:
        raise InputError("--out and --data: are of ONNX files; --web DIR takes neither")
    from emotion_detection.commands.export_web import export_page

    size = export_page(Path(parsed.web), parsed.model, parsed.labels)
    print(f"wrote {parsed.web} ({size / 1e6:.1f} MB): any web host can serve it")
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser(
        "export",
        "Write a run's best checkpoint as one ONNX file; with --web, write the web page, which "
        "runs in the browser, as a folder for any web host.",
        "[OPTIONS] RUN",
    )
    add = parser.add_argument
    add(
        "model",
        type=str,
        nargs="?",
        metavar="RUN",
        help="run folder or checkpoint; with --web: run folder or ONNX file, default: the shipped "
        "model",
    )
    add("--out", type=str, metavar="FILE", help="default: model.onnx beside the checkpoint")
    add(
        "--data",
        type=str,
        help="faces to compare PyTorch and ONNX on; default: those that the run keeps",
    )
    add("--web", type=str, metavar="DIR", help="folder for the page, new or of an earlier export")
    add("--labels", type=str, help="with --web: label set that the page shows")
    return parser


def _export_onnx(parsed: Namespace) -> int:
    if parsed.labels is not None:
        raise InputError("--labels: is an option of --web; an ONNX file holds all label sets")
    if parsed.model is None:
        raise InputError("the following arguments are required: model, or --web DIR for the page")
    require("'export'", "train", "torch", "pytorch_lightning", "onnx")
    from emotion_detection.config import DataConfig, data_fields
    from emotion_detection.data import load
    from emotion_detection.evaluation.models import is_training_data
    from emotion_detection.training.checkpoint import load_trained
    from emotion_detection.training.export import export_onnx
    from emotion_detection.training.export_sample import find_sample, spread_rows

    trained = load_trained(parsed.model)
    out = Path(parsed.out) if parsed.out else trained.path.parent / "model.onnx"
    if out.suffix != ".onnx":
        raise InputError(f"--out {out}: the name must end in .onnx")
    data = trained.record.get("data", {})
    if not is_training_data(data):  # it goes into the file, which no test would take then
        raise InputError(f"{trained.path}: what it tells of its training data is damaged")
    if parsed.data is None:
        sample, kind = find_sample(trained.path.parent, trained.spec)
    else:
        options = data.get("options")
        if not options:
            raise InputError(f"{trained.path}: does not tell how its faces were read: damaged")
        try:
            config = DataConfig(**data_fields(options | {"data": parsed.data}))
        except TypeError as error:
            raise InputError(
                f"{trained.path}: how its faces were read is not understood: {error}"
            ) from None
        faces = load(config).split("validation")
        sample, kind = faces.draw(spread_rows(len(faces))), "validation"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: its folder cannot be made: {error.strerror}") from None
    difference = export_onnx(trained, out, sample, _metrics(trained.path))
    print(f"scores of {len(sample)} {kind} faces differ from torch's by {difference:.1g} at most")
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")
    return 0


def _metrics(checkpoint: Path) -> dict[str, Any]:
    """Return the run's figures, where they are those of this checkpoint."""
    try:
        values = read_json(checkpoint.parent / "metrics.json")
        if Path(values["model"]).name != checkpoint.name:
            return {}
        return {name: values[name] for name in ("accuracy", "n", "ece", "nll", "split")}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
