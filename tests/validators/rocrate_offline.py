"""Start `rocrate-validator` without a network: the context of RO-Crate comes from the wheel of rocrate."""

import json
from importlib.resources import files

import requests
import rocrate_validator.utils.document_loader as loader
import rocrate_validator.utils.http as http

PREFIX = "https://w3id.org/ro/crate/"
CONTEXT = {"@context": json.loads((files("rocrate") / "data/ro-crate.jsonld").read_text("utf-8"))["@context"]}
fetch = loader._fetch_json_ld
ask = http.HttpRequester.__getattr__


def fetch_from_wheel(url: str, *arguments: object, **options: object) -> object:
    return CONTEXT if url.startswith(PREFIX) else fetch(url, *arguments, **options)


def ask_the_wheel(requester: object, name: str) -> object:
    method = ask(requester, name)
    if name not in {"get", "head"}:
        return method

    def answer(url: str, *arguments: object, **options: object) -> requests.Response:
        if not str(url).startswith(PREFIX):
            return method(url, *arguments, **options)
        response = requests.Response()
        response.status_code, response.url = 200, url
        response.headers["Content-Type"] = "application/ld+json"
        response._content = json.dumps(CONTEXT).encode("utf-8")
        return response

    return answer


loader._fetch_json_ld = fetch_from_wheel
http.HttpRequester.__getattr__ = ask_the_wheel

if __name__ == "__main__":
    from rocrate_validator.cli import cli

    cli()
