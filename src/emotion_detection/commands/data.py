"""``emotion data info|check|audit|download``."""

from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.config import DataConfig
from emotion_detection.data import commands
from emotion_detection.errors import InputError

_WHAT = {
    "info": "Print counts and draw a contact sheet.",
    "check": "Report unreadable pictures and duplicates; exit code 1 when exact copies of test "
    "faces stand in train.",
    "audit": "Train on parts of the data and list the faces that look wrong: for --exclude.",
    "download": "Download FER-2013 and FER+'s votes into data/.",
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
    parser.add_class_arguments(DataConfig)
    parser.add_argument("--out", type=str, help="the contact sheet (info) or JSON file (check)")
    values = parse(parser, _source_first(words[1:])).as_dict()
    out = values.pop("out")
    config = DataConfig(**values)
    if what == "info":
        return commands.info(config, Path(out or "data-info.png"))
    return commands.check(config, Path(out) if out else None)


def _source_first(words: list[str]) -> list[str]:
    """Take a first word that is no option for the data: 'emotion data info PATH' reads better."""
    return words if not words or words[0].startswith("-") else ["--data", *words]
