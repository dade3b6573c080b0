"""Gather, decide, act. The decisions are in `core/`, the world is behind `ports.py`; here is the order of things."""
