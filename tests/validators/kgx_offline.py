"""Start `kgx` without a network: the Biolink model and its prefixes come from the wheel of biolink-model.

The prefix of this project's entities is added to Biolink's, as PREFIX=IRI in the environment variable KGX_PREFIX.
"""

import json
import os
from importlib.resources import files

import bmt.toolkit
import kgx.config

MODEL = files("biolink_model")
bmt.toolkit.Toolkit.__init__.__defaults__ = (str(MODEL / "schema/biolink_model.yaml"), {"predicate mappings": []})
prefixes = json.loads((MODEL / "prefixmaps/biolink_model_prefix_map.json").read_text("utf-8"))
prefixes.setdefault("biolink", "https://w3id.org/biolink/vocab/")
name, _, space = os.environ.get("KGX_PREFIX", "").partition("=")
if name:
    prefixes[name] = space
for context in ("biolink", "monarch_context", "obo_context"):
    kgx.config.jsonld_context_map[context] = prefixes

if __name__ == "__main__":
    from kgx.cli import cli

    cli()
