"""``emotion report``: models -> one page on how good they are and where they fail."""

import shlex
from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.data import SPLITS
from emotion_detection.errors import InputError
from emotion_detection.evaluation.card import write_card
from emotion_detection.evaluation.card_facts import check_run
from emotion_detection.evaluation.group_table import DATASETS, read_groups
from emotion_detection.evaluation.report import Wanted, open_tests, write_report
from emotion_detection.evaluation.report.audited import read_audit


def run(words: list[str]) -> int:
    """Report as the words say; print where the page is last."""
    parser = new_parser("report", "Say in one page how good a model is and where it fails.")
    parser.add_argument(
        "model",
        type=str,
        nargs="+",
        help="run folders, checkpoints, ONNX files, 'pretrained', or folders of tests; the report "
        "is about the first, the others are compared with it",
    )
    parser.add_argument(
        "--data", type=str, help="source of the faces; default: what each model was trained on"
    )
    parser.add_argument(
        "--labels", type=str, help="fer2013 or ferplus; default: what the model was trained on"
    )
    parser.add_argument("--split", type=str, default="test", help="test, validation or train")
    parser.add_argument(
        "--accuracy",
        type=float,
        default=0.9,
        help="wanted accuracy of the answered faces, for the threshold; default 0.9",
    )
    parser.add_argument("--groups", type=str, help="CSV with file and groups, such as age")
    parser.add_argument("--card", action="store_true", help="write model-card.md too, of the first")
    parser.add_argument("--audit", type=str, help="audit.json that 'emotion data audit' wrote")
    parser.add_argument("--cache", type=str, help="folder of the decoded faces")
    parser.add_argument("--out", type=str, help="folder for the report; must be named")
    parsed = parse(parser, words)
    if not parsed.out:
        raise InputError("--out: is missing; name a folder for the report")
    if parsed.labels not in (None, "fer2013", "ferplus"):
        raise InputError(f"--labels {parsed.labels}: must be fer2013 or ferplus")
    if parsed.split not in SPLITS:
        raise InputError(f"--split {parsed.split}: must be one of {', '.join(SPLITS)}")
    if not 0 < parsed.accuracy <= 1:
        raise InputError(f"--accuracy {parsed.accuracy}: must be above 0 and at most 1")
    out = Path(parsed.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; a folder is needed")
    if parsed.card and parsed.model[0] != "pretrained":
        check_run(Path(parsed.model[0]))
    changes = {"cache": parsed.cache} if parsed.cache else {}
    wanted = Wanted(parsed.data, parsed.labels, parsed.split, changes)
    groups = Path(parsed.groups) if parsed.groups else None
    audit = Path(parsed.audit) if parsed.audit else None
    # what is wrong with them is said before tests that take minutes
    if groups:
        read_groups(groups)
    if audit:
        read_audit(audit)
    models = open_tests(parsed.model, wanted)
    datasets = models[0].test.folder / DATASETS
    if groups is None and datasets.is_file():
        groups = datasets
    command = shlex.join(["emotion", "report", *words])
    done = write_report(models, out, command, parsed.accuracy, groups, audit)
    for note in (note for model in models for note in model.notes):
        print(note)
    names = ["report.json", "figures/"]
    if parsed.card:
        names.append(write_card(parsed.model[0], out, done.facts["models"][0]["groups"]).name)
    for name in names:
        print(f"  {out / name}")
    print(f"report: {done.path}", flush=True)
    return 0
