"""Files, locks, progress and processes, as every part of the package uses them.

:mod:`.files` writes atomically, :mod:`.lock` locks a folder, :mod:`.plain_values` and
:mod:`.field_types` check values that come from files, :mod:`.progress` shows progress,
:mod:`.parent_process` ends workers with their parent, :mod:`.hub_folder` and
:mod:`.hub_download` are about model folders of the Hugging Face hub.
"""
