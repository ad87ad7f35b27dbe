"""``emotion data info|check|crop|audit|download``."""

from itertools import takewhile
from pathlib import Path

from emotion_detection.commands.parsing import join_data_words, new_parser, parse
from emotion_detection.config import DataConfig
from emotion_detection.data import commands
from emotion_detection.errors import InputError

_WHAT = {
    "info": "Print counts and draw a contact sheet.",
    "check": "Report unreadable pictures and duplicates; exit code 1 when exact copies of test "
    "faces stand in train.",
    "crop": "Cut the faces out of photographs, exactly as predict does, into OUT.",
    "audit": "Train on parts of the data and list the faces that look wrong: for --exclude.",
    "download": "Download FER-2013 and FER+'s votes into data/.",
}

_OUT = {
    "info": "the contact sheet, a PNG",
    "check": "the report, a JSON file",
    "crop": "folder to write, which must not exist yet; may be the last of the first words",
}


def run(words: list[str]) -> int:
    """Do what the first word says."""
    what = words[0] if words else ""
    if what in ("-h", "--help"):
        for name, description in _WHAT.items():
            print(f"emotion data {name:9} {description}")
        return 0
    if what not in _WHAT:
        said = f"data {what}" if what else "data"
        raise InputError(f"{said}: must be followed by {', '.join(_WHAT)}")
    if what == "audit":
        from emotion_detection.commands import data_audit

        return data_audit.run(_source_first(words[1:]))
    parser = new_parser(f"data {what}", _WHAT[what])
    if what == "download":
        parse(parser, words[1:])
        return commands.download()
    parser.add_class_arguments(DataConfig, skip={"crop"} if what == "crop" else set())
    parser.add_argument("--out", type=str, help=_OUT[what])
    values = parse(parser, join_data_words(_source_first(words[1:], what == "crop"))).as_dict()
    out = values.pop("out")
    config = DataConfig(**values)
    if what == "crop":
        if not out:
            raise InputError("data crop: name two folders: emotion data crop IN OUT")
        from emotion_detection.data.cropping import crop_dataset

        return crop_dataset(config, Path(out))
    if what == "info":
        return commands.info(config, Path(out or "data-info.png"))
    return commands.check(config, Path(out) if out else None)


def _source_first(words: list[str], out_last: bool = False) -> list[str]:
    """Take first words that are no options for the data: 'emotion data info PATH' reads better."""
    first = list(takewhile(lambda word: not word.startswith("-"), words))
    rest = words[len(first) :]
    if out_last and len(first) > 1:
        return ["--data", *first[:-1], "--out", first[-1], *rest]
    return ["--data", *first, *rest] if first else rest
