"""The verbs of the command line, a module each: ``run(words) -> exit code``."""
