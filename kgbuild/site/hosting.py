"""The kit that lets a web server hand out the site as linked data: media types, headers, and 303 by `Accept`.

Three servers know it: Apache (`.htaccess`, read where it lies), nginx (`nginx.conf`, a whole configuration to start
from), and hosts of static files such as Netlify and Cloudflare Pages (`_headers`; they cannot choose by `Accept`).
A form that `Accept` names is taken, whatever its weight; `kgbuild serve` weighs.
"""

from __future__ import annotations

from typing import Final

MEDIA_TYPES: Final = {
    "html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2",
    "ttl": "text/turtle", "jsonld": "application/ld+json", "trig": "application/trig", "nq": "application/n-quads",
    "nt": "application/n-triples", "rdf": "application/rdf+xml", "json": "application/json", "csv": "text/csv",
    "tsv": "text/tab-separated-values", "xml": "application/xml", "txt": "text/plain", "md": "text/markdown",
    "cff": "application/yaml", "parquet": "application/vnd.apache.parquet", "gz": "application/gzip",
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
}  # fmt: skip
"""Media types by ending."""

_TEXTS: Final = ("html", "css", "js", "svg", "ttl", "trig", "csv", "tsv", "txt", "md", "cff")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Access-Control-Allow-Origin": "*",
}
"""Headers of every answer; each page carries the rest of its policy itself."""

_NAME: Final = "[A-Za-z0-9_~-]+"
_FORMS: Final = (
    (f"claim/{_NAME}/{_NAME}", ("trig", "jsonld", "ttl")),
    (f"(?:id|article|dataset)/{_NAME}", ("jsonld", "ttl")),
    ("ns", ("ttl",)),
)
"""The IRIs that stand for things, and the forms that each has beside its page, the one preferred first."""


def hosting_files() -> dict[str, bytes]:
    """Return the files of the kit by path."""
    return {".htaccess": _apache().encode(), "_headers": _static().encode(), "nginx.conf": _nginx().encode()}


def _typed(ending: str) -> str:
    return f"{MEDIA_TYPES[ending]}; charset=utf-8" if ending in _TEXTS else MEDIA_TYPES[ending]


def _apache() -> str:
    types = "\n".join(f'  AddType "{_typed(ending)}" .{ending}' for ending in MEDIA_TYPES if ending != "gz")
    headers = "\n".join(f'  Header always set {name} "{value}"' for name, value in _HEADERS.items())
    rules = [f"  RewriteRule ^(np/RA{_NAME})$ %{{ENV:KGBUILD_BASE}}$1.trig [R=303,L]"]
    for pattern, endings in _FORMS:
        for ending in endings:
            media = MEDIA_TYPES[ending].replace("+", r"\+")
            rules += [
                f"  RewriteCond %{{HTTP_ACCEPT}} {media} [NC]",
                f"  RewriteRule ^({pattern})$ %{{ENV:KGBUILD_BASE}}$1.{ending} [R=303,L]",
            ]
        rules.append(f"  RewriteRule ^({pattern})$ %{{ENV:KGBUILD_BASE}}$1.html [R=303,L]")
    return f"""# Apache serves this folder as linked data, wherever it lies (mod_mime, mod_headers, mod_rewrite).
ErrorDocument 404 "There is nothing at this address."
<IfModule mod_mime.c>
{types}
</IfModule>
<IfModule mod_headers.c>
{headers}
  Header always merge Vary Accept
</IfModule>
<IfModule mod_rewrite.c>
  RewriteEngine On
  # Where this folder is on the server.
  RewriteCond %{{REQUEST_URI}}::$1 ^(.*?/)(.*)::\\2$
  RewriteRule ^(.*)$ - [E=KGBUILD_BASE:%1]
{chr(10).join(rules)}
</IfModule>
"""


def _static() -> str:
    blocks = ["/*", *(f"  {name}: {value}" for name, value in _HEADERS.items())]
    for ending in MEDIA_TYPES:
        if ending not in {"html", "css", "js", "svg", "woff2", "gz", "png", "jpg", "jpeg"}:
            blocks += [f"/*.{ending}", f"  Content-Type: {_typed(ending)}"]
    return "\n".join(blocks) + "\n"


def _nginx() -> str:
    types = "\n".join(f"    {media} {ending};" for ending, media in MEDIA_TYPES.items())
    headers = "\n".join(f'    add_header {name} "{value}" always;' for name, value in _HEADERS.items())
    charsets = " ".join(dict.fromkeys(MEDIA_TYPES[ending] for ending in _TEXTS if ending != "html"))
    maps, places = [], []
    for number, (pattern, endings) in enumerate(_FORMS):
        escaped = [(ending, MEDIA_TYPES[ending].replace("+", r"\+")) for ending in endings]
        choices = "\n".join(f"    ~*{media} {ending};" for ending, media in escaped)
        maps.append(f"  map $http_accept $form{number} {{\n    default html;\n{choices}\n  }}")
        places.append(
            f"    location ~ ^/{pattern}$ {{\n      add_header Vary Accept always;\n"
            f'      add_header Access-Control-Allow-Origin "*" always;\n      return 303 $uri.$form{number};\n    }}'
        )
    return f"""# nginx serves this folder as linked data: nginx -p /path/to/this/folder -c nginx.conf
# For a server of your own, take over the maps, the types and the locations.
events {{}}
http {{
  types {{
{types}
  }}
  charset utf-8;
  charset_types {charsets};
  absolute_redirect off;
{chr(10).join(maps)}
  server {{
    listen 8080;
    root .;
    index index.html;
    error_page 404 /404.html;
{headers}
    location = /nginx.conf {{ return 404; }}
    location ~ ^/np/RA{_NAME}$ {{ return 303 $uri.trig; }}
{chr(10).join(places)}
  }}
}}
"""
