"""Benchmarks of detection and classification."""
