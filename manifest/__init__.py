"""The Teams app package: manifest, icons, and languages, checked and packed into one ZIP file."""
