"""The static site: which pages there are, how they are rendered, and the check of their links."""
