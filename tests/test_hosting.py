"""The hosting kit in the servers it is made for: media types, 303 by Accept, at the root and at a sub-path."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from stores import free_port, running

APACHE = """
ServerRoot "{folder}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile "{folder}/httpd.pid"
ErrorLog "{folder}/error.log"
DocumentRoot "{root}"
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule rewrite_module {modules}/mod_rewrite.so
TypesConfig /dev/null
<Directory "{root}">
  AllowOverride All
  Require all granted
</Directory>
"""


@pytest.fixture(scope="module", params=["nginx", "apache2"])
def hosted(request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the site: with nginx at the root, with Apache at a sub-path."""
    name = request.param
    program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip(f"{name} is not installed (apt-get install nginx-light apache2-bin)")
    folder, port = tmp_path_factory.mktemp(name), free_port()
    folder.chmod(0o755)
    if name == "nginx":
        site = shutil.copytree(built / "build" / "site", folder / "site")
        settings = (site / "nginx.conf").read_text("utf-8").replace("listen 8080", f"listen 127.0.0.1:{port}")
        (folder / "nginx.conf").write_text(settings, "utf-8")
        extra = f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log;"
        command = [program, "-p", str(site), "-c", str(folder / "nginx.conf"), "-g", extra]
        where = ""
    else:
        shutil.copytree(built / "build" / "site", folder / "root" / "some" / "where")
        text = APACHE.format(folder=folder, root=folder / "root", port=port, modules="/usr/lib/apache2/modules")
        (folder / "httpd.conf").write_text(text + ("User www-data\nGroup www-data\n"), "utf-8")
        for path in [folder, *folder.parents]:
            if path.stat().st_uid == 0 and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
        command = [program, "-d", str(folder), "-f", str(folder / "httpd.conf"), "-D", "FOREGROUND"]
        where = "/some/where"
    with running(command, folder, f"http://127.0.0.1:{port}{where}/index.html") as server:
        yield server.url.removesuffix("/index.html")


def ask(address: str, path: str, accept: str = "") -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}/{path}", headers={"Accept": accept} if accept else {})
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "accept", "ending"),
    [
        ("id/magnesium", BROWSER, "html"),
        ("id/magnesium", "text/turtle", "ttl"),
        ("id/magnesium", "application/ld+json", "jsonld"),
        ("id/magnesium", "", "html"),
        ("claim/magnesium-rls/c018", "application/trig", "trig"),
        ("claim/magnesium-rls/c018", BROWSER, "html"),
        ("article/magnesium-rls", "text/turtle", "ttl"),
        ("dataset/usda-sr28", "application/ld+json", "jsonld"),
        ("ns", "text/turtle", "ttl"),
        ("ns", BROWSER, "html"),
    ],
)
def test_a_thing_leads_to_the_form_asked_for(hosted: str, path: str, accept: str, ending: str) -> None:
    status, headers, _ = ask(hosted, path, accept)
    assert status == 303
    assert urlsplit(headers["location"]).path == f"{urlsplit(hosted).path}/{path}.{ending}"
    assert "accept" in headers["vary"].lower()
    assert ask(hosted, f"{path}.{ending}")[0] == 200


def test_files_have_their_media_types_and_headers(hosted: str, built: Path) -> None:
    nanopublication = next((built / "build" / "site" / "np").glob("*.trig")).name
    for path, media in {
        "index.html": "text/html; charset=utf-8",
        "id/magnesium.ttl": "text/turtle; charset=utf-8",
        "id/magnesium.jsonld": "application/ld+json",
        f"np/{nanopublication}": "application/trig; charset=utf-8",
        "data/magnesium-rls.nq": "application/n-quads",
        "data/magnesium-rls-claims.csv": "text/csv; charset=utf-8",
    }.items():
        status, headers, _ = ask(hosted, path)
        assert (status, headers["content-type"].replace("UTF-8", "utf-8")) == (200, media), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["access-control-allow-origin"] == "*"
        assert "frame-ancestors" in headers["content-security-policy"]
    status, headers, _ = ask(hosted, f"np/{nanopublication.removesuffix('.trig')}")
    assert (status, headers["location"].endswith(f"np/{nanopublication}")) == (303, True)


@pytest.mark.parametrize("path", ["id/none.html", "id/a%0d%0aX-Evil:%201", "../secret", "id/..%2f..%2fsecret"])
def test_what_is_not_there_is_not_found(hosted: str, path: str) -> None:
    status, headers, _ = ask(hosted, path)
    assert status in {400, 403, 404}
    assert "x-evil" not in headers


def test_static_hosts_are_told_the_media_types(built: Path) -> None:
    text = (built / "build" / "site" / "_headers").read_text("utf-8")
    assert "/*.ttl\n  Content-Type: text/turtle; charset=utf-8\n" in text
    assert text.startswith("/*\n  X-Content-Type-Options: nosniff\n")
