"""Serve predictions over HTTP, and the web page, on :mod:`emotion_detection.inference`.

:mod:`.server` runs the server and :mod:`.connection` enforces clients' deadlines. :mod:`.app` adds
the routes: :mod:`.routes` for images and :mod:`.web_page` for the browser. :mod:`.request_body`
receives bytes, :mod:`.workers` queues jobs, :mod:`.image_jobs` runs them, and
:mod:`.prometheus_metrics` counts. Nothing here imports torch.
"""
