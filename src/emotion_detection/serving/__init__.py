"""Serve predictions over HTTP, and the web page, on :mod:`emotion_detection.inference`.

:mod:`.server` runs the server and :mod:`.connection` enforces clients' deadlines. :mod:`.app` puts
the routes together: :mod:`.routes` for images and :mod:`.web_page` for the browser.
:mod:`.request_body` receives bytes, :mod:`.workers` queues them, :mod:`.image_jobs` turns them into
answers, :mod:`.telemetry` counts. Nothing here imports torch.
"""
