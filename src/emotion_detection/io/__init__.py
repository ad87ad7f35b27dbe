"""Files, locks, progress and processes, for all parts of the package.

:mod:`.files` writes atomically, :mod:`.lock` locks a folder, :mod:`.plain_values` and
:mod:`.field_types` check values that come from files, :mod:`.progress` shows progress,
:mod:`.processes` counts processors and ends workers with their parent, :mod:`.hub_folder` and
:mod:`.hub_download` handle model folders of the Hugging Face hub.
"""
