"""Cards: state in, Adaptive Card out. Pure: no I/O, no clock, no settings."""
