"""The server: a build, or a remote store, as pages, linked data, SPARQL and JSON; read-only."""
