"""The graph for other tools: each edition is one file, registered once, known to builds, `export` and the site."""
