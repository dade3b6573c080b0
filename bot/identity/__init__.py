"""Proof of who asks: credentials in, an Actor out, or nothing."""
