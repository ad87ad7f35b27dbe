"""Load images from files, bytes and arrays: checked, decoded and upright.

:mod:`.opening` opens images. :mod:`.kinds` recognises formats by the first bytes. :mod:`.headers`,
:mod:`.frames` and :mod:`.boxes` reject images that are small on disk and costly to decode.
:mod:`.damage` describes truncated files. :mod:`.arrays` and :mod:`.modes` convert arrays and
Pillow's modes to RGB.
"""
