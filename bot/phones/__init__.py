"""Reads and validates files of phones, without I/O or a clock. Pure."""
