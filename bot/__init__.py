"""Pointsman sets every new image tag on the track to the right environment."""

__version__ = "0.1.0"
