"""Decisions: pure functions over plain data. No IO, no clock, no environment, no async."""
