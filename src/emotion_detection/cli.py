"""The ``emotion`` command. What a command needs is imported inside it."""

import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence

from emotion_detection.errors import InputError, TrainingError, missing_package, printable, shorten

USAGE = """usage: emotion COMMAND [OPTIONS]

  predict  predict expressions       emotion predict photo.jpg holiday/ clip.mp4
  explain  why, as a heat map        emotion explain photo.jpg
  train    train a model             emotion train --data demo
  test     test a model              emotion test --model models/RUN
  report   how good, where it fails  emotion report models/RUN --out report
  data     info, check, crop, audit  emotion data info PATH
           and download
  export   ONNX file, or the page    emotion export models/RUN
  serve    HTTP API and web page     emotion serve

'emotion COMMAND --help' lists the options of a command. 'emotion photo.jpg' is short for
'emotion predict photo.jpg'.
"""

_COMMANDS = {
    "predict": "emotion_detection.commands.predict",
    "explain": "emotion_detection.commands.explain",
    "train": "emotion_detection.commands.train",
    "test": "emotion_detection.commands.test",
    "report": "emotion_detection.commands.report",
    "data": "emotion_detection.commands.data",
    "export": "emotion_detection.commands.export",
    "serve": "emotion_detection.commands.serve",
}

_INPUT = re.compile(r"\d|\w+://.+|.*[/\\*]|.*\.\w{2,5}", re.DOTALL)
"""Pattern of a first word that is an input of predict: camera, address, path or file name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 1 (cannot continue), 2 (bad usage or input)."""
    if getattr(sys, "frozen", False):
        # in a program frozen by PyInstaller and the like, workers start as this same program
        import multiprocessing

        multiprocessing.freeze_support()
    _print_whatever_letters()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] in ("--version", "-V", "-v"):
        from emotion_detection import __version__

        print(__version__)
        return 0
    if words[0] in _COMMANDS:
        return _run_guarded(words[0], words[1:])
    if _is_input(words[0]):
        return _run_guarded("predict", words)
    from emotion_detection.commands.option_suggestions import suggest_command

    return _print_line(
        f"unknown command {words[0]!r}{suggest_command(words[0], list(_COMMANDS))}", 2
    )


def _is_input(word: str) -> bool:
    """Return True if the first word is an input or an option of predict, not a command."""
    is_option = word.startswith("-") and word != "-"
    return is_option or os.path.exists(word) or _INPUT.fullmatch(word) is not None


def _print_whatever_letters() -> None:
    """Print characters that the terminal's encoding lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _run_guarded(command: str, words: list[str]) -> int:
    if os.environ.get("LOCAL_RANK", "0") != "0":
        # of several training processes: started by the first one, or by torchrun
        from emotion_detection.io.processes import exit_with_parent

        exit_with_parent()
    try:
        run: Callable[[list[str]], int] = importlib.import_module(_COMMANDS[command]).run
        return run(words)
    except InputError as error:
        return _print_line(str(error), 2)
    except TrainingError as error:
        return _print_line(str(error), 1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("emotion_detection"):
            raise
        return _print_line(str(missing_package(f"'{command}'", str(error.name), "train")), 2)
    except BrokenPipeError:  # the reader of the output has closed the pipe
        raise
    except OSError as error:
        where = f"{shorten(str(error.filename))}: " if error.filename is not None else ""
        return _print_line(f"{where}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _print_line("interrupted", 130)


def _print_line(message: str, code: int) -> int:
    print(f"emotion: {printable(message)}", file=sys.stderr)
    return code
