"""The chat edge, the only room that knows Bot Framework: activities in, plain values of `commands` out."""
