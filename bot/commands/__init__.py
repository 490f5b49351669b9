"""What people can ask, one module per subject: parse, call, render. No SDK types."""
