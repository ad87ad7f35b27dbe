"""Benchmarks of tests and reports."""
