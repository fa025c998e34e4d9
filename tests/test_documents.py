"""A publisher's own documents: pages that look like the site's, from Markdown that may be hostile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
from conftest import GOOD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import serving, until

from kgbuild.building import build, current_store
from kgbuild.diagnostics import FindingsError, Report
from kgbuild.project import load_project
from kgbuild.site.documents import read_documents

CALM = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 10">\n<path d="M0 0h{}v9z"/>\n</svg>\n'
PNG = b"\x89PNG\r\n\x1a\n and the rest"
METHOD = """\
# How we *read*

We read **every** sentence; [who we are](../imprint.md#who-we-are), [what we measured](#what-we-measured).

## What we measured

| tea | cups | |
|:---|---:|:-:|
| green <b onclick="alert(1)">tea</b> | 1,200 | a &amp; b |

### What we measured

![Cups by hour](../pictures/cups%20a%20day.svg)
![A leaf](leaf.png "of tea")

<script>alert(1)</script>

<img src=x onerror=alert(1)> and `<script>`; [`code`](https://example.org/?a=1&b="2") <mailto:us@example.org>

```html" onload="alert(1)
<script>alert(1)</script>
```

    <i>indented</i>

## <style>@import "x"</style>

##### Deep
"""
IMPRINT = 'Impressum & "Kontakt"\n=====\n\nWir.\n\n## Who we are\n\n[Method](about/method.md) and [this](imprint.md)\n'


def write_project(root: Path, settings: str = "") -> Path:
    """Write a small project with two documents and two pictures."""
    shutil.copytree(GOOD, root)
    path = root / "kgbuild.toml"
    listed = 'documents = [\n  "about/method.md",\n  "imprint.md",\n]\n'
    path.write_text(path.read_text("utf-8") + listed + settings, "utf-8")
    (root / "about").mkdir()
    (root / "pictures").mkdir()
    (root / "about/method.md").write_text(METHOD, "utf-8")
    (root / "about/leaf.png").write_bytes(PNG)
    (root / "imprint.md").write_text(IMPRINT, "utf-8")
    (root / "pictures/cups a day.svg").write_text(SVG.format(9), "utf-8")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a project with documents once."""
    root = write_project(tmp_path_factory.mktemp("documents") / "project")
    build(root)
    return root


@pytest.fixture(scope="module")
def article(made: Path) -> ElementTree.Element:
    """Return what the page of a document shows of it."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page = parser.parse((made / "build/site/document/method.html").read_text("utf-8"))
    found = page.find(".//article")
    assert found is not None
    return found


def words(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def links(element: ElementTree.Element) -> dict[str, str]:
    return {words(link): link.get("href", "") for link in element.iter("a")}


def test_headings_have_anchors_and_leave_out_no_level(article: ElementTree.Element) -> None:
    found = [(item.tag, item.get("id"), words(item)) for item in article if re.fullmatch("h[1-6]", item.tag)]
    assert found == [
        ("h1", "how-we-read", "How we read"),
        ("h2", "what-we-measured", "What we measured"),
        ("h3", "what-we-measured-1", "What we measured"),
        ("h2", "styleimport-xstyle", '<style>@import "x"</style>'),
        ("h3", "deep", "Deep"),
    ]


def test_links_lead_to_the_pages_of_documents_and_to_the_web(article: ElementTree.Element) -> None:
    assert links(article) == {
        "who we are": "imprint.html#who-we-are",
        "what we measured": "#what-we-measured",
        "code": "https://example.org/?a=1&b=%222%22",
        "mailto:us@example.org": "mailto:us@example.org",
    }


def test_raw_html_is_text(article: ElementTree.Element) -> None:
    assert {item.tag for item in article.iter()} <= {
        "article", "h1", "h2", "h3", "p", "em", "strong", "a", "div", "table", "thead", "tbody", "tr", "th", "td",
        "img", "code", "pre",
    }  # fmt: skip
    names = {name for item in article.iter() for name in item.attrib}
    assert names <= {"class", "id", "href", "rel", "src", "alt", "title", "role", "aria-label", "tabindex"}
    text = words(article)
    for shown in ('<b onclick="alert(1)">', "<img src=x onerror=alert(1)>", "<i>indented</i>"):
        assert shown in text
    assert text.count("<script>alert(1)</script>") == 2


def test_tables_and_code_scroll_in_regions_of_their_own(article: ElementTree.Element) -> None:
    regions = [item for item in article.iter() if item.get("role") == "region"]
    assert [(item.tag, item.get("aria-label"), item.get("tabindex")) for item in regions] == [
        ("div", "Table 1", "0"), ("pre", "Example 1", "0"), ("pre", "Example 2", "0"),
    ]  # fmt: skip
    assert [item.get("class") for item in article.iter("td")] == [None, "number", "center"]


def test_pictures_are_files_of_the_site(made: Path, article: ElementTree.Element) -> None:
    site = made / "build/site"
    shown = [(item.get("src"), item.get("alt"), item.get("title")) for item in article.iter("img")]
    assert shown == [
        ("pictures/cups~20a~20day.svg", "Cups by hour", None),
        ("about/leaf.png", "A leaf", "of tea"),
    ]
    assert (site / "document/pictures/cups~20a~20day.svg").read_text("utf-8") == SVG.format(9)
    assert (site / "document/about/leaf.png").read_bytes() == PNG


def test_every_page_leads_to_the_documents(made: Path) -> None:
    site = made / "build/site"
    for page, root in (("index.html", ""), ("id/caffeine.html", "../"), ("document/imprint.html", "../")):
        footer = (site / page).read_text("utf-8").partition("<footer")[2]
        assert f'<a href="{root}document/method.html"><bdi>How we read</bdi></a>' in footer
        assert "Impressum &amp; &#34;Kontakt&#34;" in footer
    assert (
        "<title>Impressum &amp; &#34;Kontakt&#34; · Tea and sleep</title>"
        in (site / "document/imprint.html").read_text()
    )
    assert 'href="document/imprint.html"' in (site / "about.html").read_text("utf-8").partition("<footer")[0]
    for file in ("sitemap.xml", "llms.txt"):
        assert "https://example.org/tea/document/imprint.html" in (site / file).read_text("utf-8")
    if (site / "search").exists():
        assert '["document/method.html","How we read","Document"' in (site / "search/entries.js").read_text("utf-8")
    sums = (site / "SHA256SUMS").read_text("utf-8")
    assert "  document/method.html\n" in sums
    assert "  document/pictures/cups~20a~20day.svg\n" in sums


def test_a_changed_document_or_picture_is_built_and_leaves_the_graph_current(made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "changed")
    project, site = load_project(root), root / "build/site"
    dump = next((site / "data").glob("*.trig"))
    graph = dump.read_bytes()
    before = json.loads((root / "build/report.json").read_text("utf-8"))
    assert build(root).unchanged
    for path, old, new, page in (
        ("imprint.md", "Wir.", "Wir sind wir.", "document/imprint.html"),
        ("pictures/cups a day.svg", "h9", "h8", "document/pictures/cups~20a~20day.svg"),
    ):
        source = root / path
        source.write_text(source.read_text("utf-8").replace(old, new), "utf-8")
        assert current_store(project) == root / "build/store"
        assert build(root).written
        assert new in (site / page).read_text("utf-8")
        assert build(root).unchanged
    after = json.loads((root / "build/report.json").read_text("utf-8"))
    assert after["graph"] == before["graph"]
    assert after["inputs"] != before["inputs"]
    assert dump.read_bytes() == graph


def test_a_broken_document_leaves_the_last_build(made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "broken")
    (root / "pictures/cups a day.svg").unlink()
    (root / "imprint.md").write_text("# Us\n\n[x](javascript:alert(1))\n", "utf-8")
    with pytest.raises(FindingsError) as caught:
        build(root)
    assert set(caught.value.report.counts()) == {"KG601", "KG606"}
    assert "Impressum" in (root / "build/site/document/imprint.html").read_text("utf-8")


def test_a_document_speaks_the_language_of_the_project(tmp_path: Path) -> None:
    root = write_project(tmp_path / "german", 'language = "de"\n')
    build(root)
    page = (root / "build/site/document/imprint.html").read_text("utf-8")
    assert '<article class="document" lang="de">' in page
    assert '<bdi lang="de">Impressum' in page


def test_a_server_has_the_documents_of_a_site_without_pages_of_things(tmp_path: Path) -> None:
    root = write_project(tmp_path / "sparse", "pages = 1\n")
    build(root)
    assert not (root / "build/site/id/caffeine.html").exists()
    with serving(root) as server:
        made = server.ask("id/caffeine.html")
        assert made.status == 200
        assert '<a href="../document/method.html"><bdi>How we read</bdi></a>' in made.text
        page = server.ask("document/method.html")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for path, media in (("pictures/cups~20a~20day.svg", "image/svg+xml"), ("about/leaf.png", "image/png")):
            picture = server.ask(f"document/{path}")
            assert (picture.status, picture.headers["content-type"].partition(";")[0]) == (200, media)


def test_a_watched_document_is_built_when_it_or_its_picture_changes(tmp_path: Path) -> None:
    root = write_project(tmp_path / "watched")
    build(root)
    with serving(root, "--watch") as server:
        for path, old, new, page in (
            ("about/method.md", "**every**", "**each**", "document/method.html"),
            ("pictures/cups a day.svg", "h9", "h7", "document/pictures/cups~20a~20day.svg"),
        ):
            source = root / path
            source.write_text(source.read_text("utf-8").replace(old, new), "utf-8")
            shown = new.replace("**each**", "<strong>each</strong>")
            assert until(lambda page=page, shown=shown: shown in server.ask(page).text)


def test_without_documents_no_markdown_is_loaded() -> None:
    code = f"import sys, kgbuild; kgbuild.check({str(GOOD)!r}); print('markdown_it' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Hostile documents

MARKS = ["# ", "\n", "\n\n", "[", "](", ")", "![", "<", ">", "<script>", "javascript:", "java\nscript:", "&#106;avascript:",
         "\\", "`", "```", "| a |\n|-|\n", "    ", "* ", "[a]: ", "'", '"', "onclick=", "x.svg", "imprint.md", "#", "é",
         "https://", "data:text/html,", "\u202e", "\0", "&lt;", "%00", "//", "../", "<!--", "<svg onload=x>"]  # fmt: skip


def read(method: bytes, picture: bytes) -> tuple[Report, str]:
    """Read a project whose documents and picture are these, and return what is found and the HTML."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_project(Path(folder) / "project")
        (root / "about/method.md").write_bytes(method)
        (root / "about/x.svg").write_bytes(picture)
        report = Report()
        documents = read_documents(load_project(root), report)
        return report, "".join(item.html for item in documents)


@pytest.mark.parametrize(("data", "code"), [(b"# A\n\n\xdcber", "KG102"), (b"", "KG108"), (b"# A\n\nb\0", "KG115")])
def test_bytes_that_are_no_text_are_told(data: bytes, code: str) -> None:
    report, _ = read(data, b"")
    assert [(item.code, str(item.span).partition(":")[0]) for item in report] == [(code, "about/method.md")]


@CALM
@given(method=st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=40).map("".join))
def test_no_markdown_becomes_anything_that_runs(method: str) -> None:
    report, html = read(("# A\n\n" + method).encode("utf-8", "surrogatepass"), SVG.format(1).encode())
    assert all(finding.span is not None and finding.span.line >= 1 for finding in report)
    for element in html5lib.parse(html, namespaceHTMLElements=False).iter():
        assert element.tag not in {"script", "svg", "style", "iframe", "object", "base", "form"}
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        for name in ("href", "src"):
            address = re.sub(r"[\x00-\x20]", "", element.get(name, ""))
            scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", address)
            assert scheme is None or scheme[0] in {"https:", "http:", "mailto:"}


@CALM
@given(inside=st.lists(st.sampled_from([
    "<script>", "</script>", " onload='x'", "<a href='", "javascript:", "'>", "</a>", "<g", "/>", "<!DOCTYPE svg [<!ENTITY a 'b'>]>",
    "&a;", "<foreignObject>", "<?xml-stylesheet href='x'?>", "<set to='", "data:text/html,x", "<svg:script xmlns:svg='x'/>", "\n",
]) | st.text(max_size=4), max_size=12).map("".join))  # fmt: skip
def test_no_picture_that_runs_is_taken(inside: str) -> None:
    picture = f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode("utf-8", "surrogatepass")
    report, html = read(b"# A\n\n![a](x.svg)\n", picture)
    if report.has_errors:
        assert set(report.counts()) == {"KG605"}
        assert 'src="about/x.svg"' not in html
    else:
        for element in ElementTree.fromstring(picture).iter():
            assert "script" not in str(element.tag).lower()
            assert not any(name.lower().startswith("on") for name in element.attrib)
            assert not any("javascript:" in value for value in element.attrib.values())
