"""Benchmarks of the server and of the page in the browser."""
