"""The errors that people can mend: shown as one line, without a traceback."""


class InputError(ValueError):
    """Bad usage or bad input: says what is wrong, where, and what is allowed. Exit code 2."""


class TrainingError(RuntimeError):
    """A training that cannot go on (not finite, disk full). Exit code 1."""
