"""Source files as values: each module knows one kind of file."""
