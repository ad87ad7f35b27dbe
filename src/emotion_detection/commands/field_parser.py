"""The parser of commands whose options are fields of a dataclass, or come from config files.

``train`` and ``data`` use jsonargparse, which converts values to the types of the fields. The other
commands use :func:`.parsing.new_parser`.
"""

from typing import Any

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from emotion_detection.commands.parsing import ShowDefaults, set_up


def new_field_parser(command: str, description: str, usage: str = "[OPTIONS]") -> ArgumentParser:
    """Create the parser of a command, for options from a dataclass.

    Args:
        command: as for :func:`.parsing.new_parser`.
        description: as for :func:`.parsing.new_parser`.
        usage: as for :func:`.parsing.new_parser`.
    """
    return set_up(ArgumentParser, _Help, command, description, usage)


class _Help(ShowDefaults, DefaultHelpFormatter):
    """Format the help without jsonargparse's ``--name+``, which appends to a list."""

    def _format_action_invocation(self, action: Any) -> str:
        kept = [option for option in action.option_strings if not option.endswith("+")]
        shown, action.option_strings = action.option_strings, kept
        try:
            return super()._format_action_invocation(action)
        finally:
            action.option_strings = shown


def add_config(parser: ArgumentParser) -> None:
    """Add ``--config``, and jsonargparse's ``--print_config`` with it."""
    parser.add_argument("--config", action="config", help="YAML file of these options")
    for action in parser._actions:
        if "--print_config" in action.option_strings:
            action.help, action.metavar = "print all options as YAML for --config, and exit", ""


def plain(value: Any) -> Any:
    """Return a parsed group as a plain dict."""
    return value.as_dict() if isinstance(value, Namespace) else value
