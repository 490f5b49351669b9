"""Development scripts, outside the wheel: the generated parts of the documentation."""
