"""Settings: one frozen model, Microsoft's clouds, and detection of misspelled variables."""
