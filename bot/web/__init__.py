"""HTTP besides Teams: probes, metrics, export links, and the server itself."""
