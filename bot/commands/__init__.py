"""What a person can ask, one module each: parse, call, render. No SDK types."""
