"""The ways in which a command writes its table; apart, because pandas is slow to import."""

__all__ = ["FORMATS"]

FORMATS = ("table", "csv", "json")
