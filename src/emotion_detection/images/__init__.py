"""Images from files, bytes and arrays: checked, decoded, turned upright.

:mod:`.opening` opens them; :mod:`.kinds` recognises formats by their first bytes;
:mod:`.headers`, :mod:`.frames` and :mod:`.boxes` refuse images that are small on disk and costly to
decode; :mod:`.damage` names truncated files; :mod:`.arrays` and :mod:`.modes` bring arrays and
Pillow's modes to RGB.
"""
