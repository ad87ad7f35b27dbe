"""The ``emotion`` command: its verbs. What a verb needs is imported inside it."""

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence

from emotion_detection.errors import InputError, TrainingError, missing

USAGE = """usage: emotion VERB [OPTIONS]

  predict  read expressions          emotion predict photo.jpg holiday/ clip.mp4
  explain  why, as a heat map        emotion explain photo.jpg
  train    train a model             emotion train --data demo
  test     test a model              emotion test --model models/RUN
  report   how good, where it fails  emotion report models/RUN --out report
  data     info, check, audit        emotion data info --data PATH
  export   ONNX file, or the page    emotion export models/RUN
  serve    over HTTP, and a page     emotion serve

'emotion VERB --help' lists the options of a verb.
"""

_VERBS = {
    "predict": "emotion_detection.commands.predict",
    "explain": "emotion_detection.commands.explain",
    "train": "emotion_detection.commands.train",
    "test": "emotion_detection.commands.test",
    "report": "emotion_detection.commands.report",
    "data": "emotion_detection.commands.data",
    "export": "emotion_detection.commands.export",
    "serve": "emotion_detection.commands.serve",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit code: 0, 1 (cannot go on), 2 (bad usage or input)."""
    if getattr(sys, "frozen", False):
        # in a program frozen by PyInstaller and the like, workers start as this same program
        import multiprocessing

        multiprocessing.freeze_support()
    _print_whatever_letters()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] == "--version":
        from emotion_detection import __version__

        print(__version__)
        return 0
    if words[0] not in _VERBS:
        return _say(f"{words[0]!r} is no verb; there are {', '.join(_VERBS)}", 2)
    return _guarded(words[0], words[1:])


def _print_whatever_letters() -> None:
    """Let letters that the terminal's encoding lacks, as in file names, be printed as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _guarded(verb: str, words: list[str]) -> int:
    if os.environ.get("LOCAL_RANK", "0") != "0":
        # of several training processes: started by the first one, or by torchrun
        from emotion_detection.parent_process import exit_with_parent

        exit_with_parent()
    try:
        run: Callable[[list[str]], int] = importlib.import_module(_VERBS[verb]).run
        return run(words)
    except InputError as error:
        return _say(str(error), 2)
    except TrainingError as error:
        return _say(str(error), 1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("emotion_detection"):
            raise
        return _say(str(missing(f"'{verb}'", str(error.name), "train")), 2)
    except KeyboardInterrupt:
        return _say("interrupted", 130)


def _say(message: str, code: int) -> int:
    print(f"emotion: {message}", file=sys.stderr)
    return code
