"""Benchmarks that print how fast the package is, each figure beside a reference."""
