"""``emotion data info|check|crop|audit|download``."""

from itertools import takewhile
from pathlib import Path

from emotion_detection.commands.field_parser import new_field_parser
from emotion_detection.commands.option_suggestions import suggest_command
from emotion_detection.commands.parsing import (
    add_fields,
    join_data_words,
    name_as_written,
    parse,
    read_words,
)
from emotion_detection.config import DataConfig
from emotion_detection.errors import InputError

WHAT = {
    "info": "Print counts and draw a contact sheet.",
    "check": "Report unreadable images and duplicates; exit code 1 if exact duplicates of test "
    "faces are in train.",
    "crop": "Crop the faces of photos, exactly as predict does, into OUT.",
    "audit": "Find faces that look wrong, by cross-validation: for --exclude.",
    "download": "Download FER-2013 and the votes of FER+ into data/.",
}
"""The commands below ``emotion data``."""

_OUT = {
    "info": "the contact sheet, a PNG",
    "check": "the report, a JSON file",
    "crop": "folder to write, which must not exist yet; may follow IN without --out",
}

_USAGE = {
    "info": "PATH ... [OPTIONS]",
    "check": "PATH ... [OPTIONS]",
    "crop": "IN OUT [OPTIONS]",
    "download": "",
}


def run(words: list[str]) -> int:
    """Run the command that the first word names."""
    what = words[0] if words else ""
    if what in ("-h", "--help", "help"):
        for name, description in WHAT.items():
            print(f"emotion data {name:9} {description}")
        return 0
    if not what:
        raise InputError(f"data: must be followed by {', '.join(WHAT)}")
    if what not in WHAT:
        raise InputError(f"unknown command 'data {what}'{_suggested(what)}")
    with name_as_written("--data", "PATH", _first_words(words[1:])):
        if what == "audit":
            from emotion_detection.commands import data_audit

            return data_audit.run(_source_first(words[1:]))
        return _run(what, words[1:])


def _suggested(what: str) -> str:
    return suggest_command(what, list(WHAT)).replace("Did you mean 'data ", "Did you mean '")


def _run(what: str, words: list[str]) -> int:
    parser = new_field_parser(f"data {what}", WHAT[what], _USAGE[what])
    if what == "download":
        parse(parser, words)
        from emotion_detection.data import console as commands

        return commands.download()
    add_fields(parser, DataConfig, skip={"crop"} if what == "crop" else ())
    parser.add_argument("--out", type=str, help=_OUT[what])
    words = read_words(parser, _source_first(words, what == "crop"))
    values = parse(parser, join_data_words(words)).as_dict()
    out = values.pop("out")
    config = DataConfig(**values)
    if what == "crop":
        if not out:
            raise InputError("data crop: name two folders: emotion data crop IN OUT")
        from emotion_detection.data.cropping import crop_dataset

        return crop_dataset(config, Path(out))
    from emotion_detection.data import console as commands

    if what == "info":
        return commands.info(config, Path(out or "data-info.png"))
    return commands.check(config, Path(out) if out else None)


def _source_first(words: list[str], out_last: bool = False) -> list[str]:
    """Convert leading words without an option to --data, as in 'emotion data info PATH'."""
    first = _first_words(words)
    rest = words[len(first) :]
    if out_last and len(first) > 1:
        return ["--data", *first[:-1], "--out", first[-1], *rest]
    return ["--data", *first, *rest] if first else rest


def _first_words(words: list[str]) -> list[str]:
    return list(takewhile(lambda word: not word.startswith("-"), words))
