"""The Teams app package: manifest, icons and languages, and what makes one zip of them."""
