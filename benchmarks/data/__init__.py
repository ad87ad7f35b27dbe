"""Benchmarks of data sets and their labels."""
