"""Commands that measure; run them from the repository root by ``python -m``."""
