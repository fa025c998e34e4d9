"""What was published is what was minted: nanopublications of our own and of others, tampered ones, and releases."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kgbuild.cli import main
from kgbuild.diagnostics import UnreadableError
from kgbuild.verification import graph_hash, verify


@pytest.fixture
def release(released: Path, tmp_path: Path) -> Path:
    """Return a copy of a release that a test may spoil."""
    return Path(shutil.copytree(released / "site", tmp_path / "site"))


def a_nanopublication(release: Path) -> Path:
    return next(
        path for path in sorted((release / "np").glob("*.trig")) if "certainty-possible" in path.read_text("utf-8")
    )


def codes(path: Path) -> list[str]:
    return sorted({finding.code for finding in verify(path).report})


def test_a_build_is_as_published(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(released)]) == 0
    said = capsys.readouterr().out.splitlines()
    count = len(list((released / "site" / "np").glob("*.trig")))
    files = sum(path.is_file() for path in (released / "site").rglob("*")) - 1
    assert said[0] == f"{count} nanopublications, {files} released files"
    assert re.fullmatch(r".*/site: graph sha256:[0-9a-f]{64}", said[1])
    assert said[2] == "all as published"


def test_the_graph_hash_is_the_digest_of_the_sorted_dump(released: Path) -> None:
    site = released / "site"
    dump = next(path for path in (site / "data").glob("*.nq") if "rdf12" not in path.name)
    lines = sorted(dump.read_text("utf-8").splitlines(keepends=True))
    assert len(lines) > 100
    assert verify(site).graphs == {str(site): "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()}


def test_a_hash_does_not_depend_on_blank_node_names() -> None:
    one = [("", "_:a", "<http://a/p>", "_:b"), ("", "_:b", "<http://a/p>", '"x"')]
    other = [("", "_:y", "<http://a/p>", '"x"'), ("", "_:z", "<http://a/p>", "_:y")]
    assert graph_hash(one) == graph_hash(other)
    assert graph_hash(one) != graph_hash(other[:1])


def test_a_lost_hedge_breaks_the_trusty_uri(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = a_nanopublication(release)
    path.write_text(path.read_text("utf-8").replace("certainty-possible", "certainty-asserted"), "utf-8")
    assert main(["verify", str(path)]) == 1
    assert "KG802" in capsys.readouterr().err
    assert main(["verify", "--format", "json", str(path)]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "KG802"


def cut_graph(name: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"^sub:{name} \{{.*?^\}}\n", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut_graph("provenance"), "its provenance is empty"),
        (cut_graph("assertion"), "its assertion is empty"),
        (lambda text: text.replace("np:hasAssertion sub:assertion", "np:hasAssertion sub:assertion, sub:pubinfo"), "2 graphs"),
        (lambda text: text.replace("np:hasAssertion sub:assertion", "np:hasAssertion sub:pubinfo"), "four different"),
        (lambda text: re.sub(r"dcterms:created [^;]*;", "", text), "no date"),
        (lambda text: text.replace("a np:Nanopublication", "a np:Other"), "no nanopublication"),
        (lambda text: text.replace("{", "{{", 1), "not TriG"),
        (lambda text: re.sub(r"RA[A-Za-z0-9_-]{43}", "one", text), "no trusty code"),
    ],
)  # fmt: skip
def test_a_broken_nanopublication_is_told(spoil: Callable[[str], str], words: str, release: Path) -> None:
    path = a_nanopublication(release)
    text = path.read_text("utf-8")
    assert spoil(text) != text
    path.write_text(spoil(text), "utf-8")
    assert words in "\n".join(finding.message for finding in verify(path).report)


def test_every_file_of_a_release_is_compared(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (release / "index.html").write_text("changed", "utf-8")
    (release / "about.html").unlink()
    (release / "more.html").write_text("added", "utf-8")
    assert main(["verify", str(release)]) == 1
    said = capsys.readouterr()
    assert "not the file that was released: index.html" in said.err
    assert "cannot read about.html" in said.err
    assert "more.html:1:1: error[KG804]: the release does not list this file" in said.err
    assert said.out.splitlines()[-1] == "not as published"


@pytest.mark.parametrize("line", ["0" * 64 + "  ../secret", "0" * 64 + "  /etc/passwd", "nonsense"])
def test_a_list_that_leads_out_of_the_release_is_refused(line: str, release: Path) -> None:
    sums = release / "SHA256SUMS"
    sums.write_text(sums.read_text("utf-8") + line + "\n", "utf-8")
    (release.parent / "secret").write_text("x", "utf-8")
    found = verify(release).report.sorted()
    assert [finding.message for finding in found] == ["not a digest and a path inside the release"]


@pytest.mark.parametrize("suffix", ["ttl", "trig", "jsonld", "rdf"])
def test_a_dump_of_another_graph_is_told(suffix: str, release: Path) -> None:
    path = next((release / "data").glob(f"*.{suffix}"))
    if path.name == "context.jsonld":
        path = next(found for found in (release / "data").glob("*.jsonld") if found != path)
    old = path.read_bytes()
    new = re.sub(rb"(?i)\bmay\b", b"does", old)
    assert new != old
    path.write_bytes(new)
    sums = release / "SHA256SUMS"
    digests = [hashlib.sha256(data).hexdigest() for data in (old, new)]
    sums.write_text(sums.read_text("utf-8").replace(*digests), "utf-8")
    assert codes(release) == ["KG805"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library builds on rdflib's old ConjunctiveGraph
@pytest.mark.parametrize("spoil", [None, "signature", "key", "content"])
def test_a_signature_made_by_the_nanopub_library(spoil: str | None, tmp_path: Path) -> None:
    import rdflib
    from nanopub import Nanopub, NanopubConf, generate_keyfiles, load_profile

    generate_keyfiles(tmp_path)
    profile = tmp_path / "profile.yml"
    profile.write_text(
        f"orcid_id: https://orcid.org/0000-0000-0000-0000\nname: Nobody\n"
        f"private_key: {tmp_path / 'id_rsa'}\npublic_key: {tmp_path / 'id_rsa.pub'}\n",
        "utf-8",
    )
    said = rdflib.Graph()
    said.add((rdflib.URIRef("http://a/tea"), rdflib.URIRef("http://a/keeps"), rdflib.Literal("awake \\ \n", lang="en")))
    made = Nanopub(assertion=said, conf=NanopubConf(profile=load_profile(profile), attribute_publication_to_profile=True,
                                                    add_prov_generated_time=True, add_pubinfo_generated_time=True))  # fmt: skip
    made.provenance.add((made.assertion.identifier, rdflib.URIRef("http://a/from"), rdflib.URIRef("http://a/book")))
    made.sign()
    path = tmp_path / "np.trig"
    made.rdf.serialize(path, format="trig")
    if spoil:
        path = resign(path, spoil)
    found = verify(path)
    assert (found.nanopublications, found.signed) == (1, 1), found.report
    assert [finding.code for finding in found.report] == (["KG803"] if spoil else []), found.report


def resign(path: Path, spoil: str) -> Path:
    """Spoil one part of a signed nanopublication and give it the trusty URI that fits it then."""
    import pyoxigraph as ox

    from kgbuild.trusty import CODE, HOLE, artifact_code

    quads = [(str(q.graph_name), *map(str, q.triple)) for q in ox.parse(path=str(path), format=ox.RdfFormat.TRIG)]
    code = CODE.search(next(quad[1] for quad in quads if "Nanopublication>" in quad[3]))
    assert code is not None

    def changed(quad: tuple[str, ...]) -> tuple[str, ...]:
        if spoil == "content" and "keeps>" in quad[2]:
            return (*quad[:3], '"asleep"')
        if spoil == "signature" and "hasSignature>" in quad[2]:
            return (*quad[:3], f'"{base64.b64encode(bytes(256)).decode()}"')
        if spoil == "key" and "hasPublicKey>" in quad[2]:
            return (*quad[:3], '"bm90IGEga2V5"')
        return quad

    holed = [tuple(term.replace(code[0], HOLE) if term[0] == "<" else term for term in changed(quad)) for quad in quads]
    fresh = artifact_code(holed)  # type: ignore[arg-type]  # four terms each
    lines = [" ".join((*quad[1:], quad[0])).replace(HOLE, fresh) + " .\n" for quad in holed]
    spoilt = path.with_suffix(".nq")
    spoilt.write_text("".join(lines), "utf-8")
    return spoilt


def test_nothing_to_read_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no such file"):
        verify(tmp_path / "none")
    with pytest.raises(UnreadableError, match="holds no SHA256SUMS"):
        verify(tmp_path)
    (tmp_path / "x.txt").write_text("x", "utf-8")
    with pytest.raises(UnreadableError, match="cannot tell the format"):
        verify(tmp_path / "x.txt")
    assert main(["verify", str(tmp_path / "none")]) == 3
