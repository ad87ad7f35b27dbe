"""``emotion data info|check|download``."""

from pathlib import Path

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.config import DataConfig
from emotion_detection.data import commands
from emotion_detection.errors import InputError

_WHAT = {
    "info": "Print counts and draw a contact sheet.",
    "check": "Report unreadable pictures and duplicates; exit code 1 when exact copies of test "
    "faces stand in train.",
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
    parser = new_parser(f"data {what}", _WHAT[what])
    if what == "download":
        parse(parser, words[1:])
        return commands.download()
    parser.add_class_arguments(DataConfig)
    parser.add_argument("--out", type=str, help="the contact sheet (info) or JSON file (check)")
    rest = words[1:]
    if rest and not rest[0].startswith("-"):
        rest = ["--data", *rest]  # 'emotion data info PATH' reads better than with an option
    values = parse(parser, rest).as_dict()
    out = values.pop("out")
    config = DataConfig(**values)
    if what == "info":
        return commands.info(config, Path(out or "data-info.png"))
    return commands.check(config, Path(out) if out else None)
