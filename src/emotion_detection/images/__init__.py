"""Load images from files, bytes and arrays: checked, decoded and upright.

:mod:`.opening` opens images. :mod:`.file_types` recognises formats by the first bytes.
:mod:`.headers`, :mod:`.frames` and :mod:`.container_boxes` reject images that are small on disk and
costly to decode. :mod:`.damage` describes truncated files. :mod:`.arrays` and :mod:`.modes` convert
arrays and Pillow's modes to RGB.
"""
