"""What an admin hands in, and what is known of it without asking anybody. Pure: no I/O, no clock."""
