"""The loops that move work. Nothing here answers a person; people are answered by `commands`."""
