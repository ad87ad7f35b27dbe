"""HTTP and the web page, on :mod:`emotion_detection.inference`; never torch.

:mod:`.server` runs it and :mod:`.connection` keeps clients to their deadlines; :mod:`.app` puts the
routes together: :mod:`.routes` for pictures and :mod:`.page` for the browser. :mod:`.body` takes
bytes in, :mod:`.workers` queues them, :mod:`.reading` turns them into answers, :mod:`.figures`
counts.
"""
