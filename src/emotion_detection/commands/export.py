"""``emotion export``: write an ONNX file, a folder for the hub, or the web page."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.errors import InputError, require_package


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

    from emotion_detection.commands.export_web import export_page

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
