"""Adaptive Cards from request snapshots. Pure: no I/O, no clock, no settings."""
