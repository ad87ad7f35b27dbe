"""``emotion report``: write one page on how good models are and where they fail."""

import shlex
from argparse import ArgumentParser
from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.commands.shared_options import add_tested_faces, check_tested_faces
from emotion_detection.errors import InputError, require_package


def run(words: list[str]) -> int:
    """Run ``emotion report``; print the path of the page last."""
    parsed = parse(_parser(), words)
    check_tested_faces(parsed)
    if not 0 < parsed.accuracy <= 1:
        raise InputError(f"--accuracy {parsed.accuracy}: must be above 0 and at most 1")
    if parsed.out and Path(parsed.out).exists() and not Path(parsed.out).is_dir():
        raise InputError(f"--out {parsed.out}: is a file; a folder is needed")
    require_package("'report'", "train", "torch", "pytorch_lightning", "jinja2")
    from emotion_detection.evaluation.card import write_card
    from emotion_detection.evaluation.card_facts import check_run
    from emotion_detection.evaluation.groups import DATASETS, read_groups
    from emotion_detection.evaluation.model_loading import find_newest_run
    from emotion_detection.evaluation.report import ReportRequest, open_tests, write_report
    from emotion_detection.evaluation.report.facts import read_audit

    places = parsed.model or [str(find_newest_run(Path("models")))]
    out = Path(parsed.out) if parsed.out else _default_folder(places[0])
    if parsed.card and places[0] != "pretrained":
        check_run(Path(places[0]))
    changes = {"cache": parsed.cache} if parsed.cache else {}
    wanted = ReportRequest(parsed.data, parsed.labels, parsed.split, changes)
    groups = Path(parsed.groups) if parsed.groups else None
    audit = Path(parsed.audit) if parsed.audit else None
    # report errors in them before tests that take minutes
    if groups:
        read_groups(groups)
    if audit:
        read_audit(audit)
    models = open_tests(places, wanted)
    datasets = models[0].test.folder / DATASETS
    if groups is None and datasets.is_file():
        groups = datasets
    command = shlex.join(["emotion", "report", *words])
    done = write_report(models, out, command, parsed.accuracy, groups, audit)
    for note in (note for model in models for note in model.notes):
        print(note)
    names = ["report.json", "figures/"]
    if parsed.card:
        names.append(write_card(places[0], out, done.facts["models"][0]["groups"]).name)
    for name in names:
        print(f"  {out / name}")
    print(f"report: {done.path}", flush=True)
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser(
        "report", "Write one page on how good a model is and where it fails.", "[OPTIONS] RUN ..."
    )
    add = parser.add_argument
    add(
        "model",
        type=str,
        nargs="*",
        metavar="RUN",
        help="run folders, checkpoints, ONNX files, hf://USER/NAME, 'pretrained', or folders of "
        "tests; the report is about the first, the others are compared with it; default: the "
        "newest run",
    )
    add("--data", type=str, help="dataset; default: the training data of each model")
    add_tested_faces(parser)
    add(
        "--accuracy",
        type=float,
        default=0.9,
        metavar="X",
        help="target accuracy of the answered faces, for the confidence threshold",
    )
    add("--groups", type=str, metavar="FILE", help="CSV with file and groups, such as age")
    add("--card", action="store_true", help="also write model-card.md, of the first model")
    add("--audit", type=str, metavar="FILE", help="audit.json of 'emotion data audit'")
    add("--cache", type=str, help="folder of the decoded faces")
    add(
        "--out",
        type=str,
        metavar="DIR",
        help="folder for the report; default: report in the first model's folder",
    )
    return parser


def _default_folder(model: str) -> Path:
    """Return the default folder of a report, beside the model's tests."""
    if model == "pretrained":
        return Path("models", "pretrained", "report")
    path = Path(model)
    return (path.parent if path.is_file() else path) / "report"
