"""The command line, as a user meets it: a process of its own, its exit code, stdout and stderr."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import rdflib

COMMANDS = ("check", "build", "query", "test", "anchor", "export", "explain")


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kgbuild", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment,
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small good project."""
    root = tmp_path_factory.mktemp("cli") / "good"
    shutil.copytree(Path(__file__).parent / "broken/_good", root)
    return root


@pytest.fixture
def faulty(good: Path, tmp_path: Path) -> Path:
    """Make a project with one unknown entity."""
    root = tmp_path / "faulty"
    shutil.copytree(good, root)
    article = next((root / "data/articles").glob("*.yaml"))
    text = article.read_text("utf-8")
    subject = text.split("subject: ")[1].split("\n")[0]
    article.write_text(text.replace(f"subject: {subject}\n", f"subject: {subject}x\n", 1), "utf-8")
    return root


def test_help_reads_well_and_every_command_has_its_own(good: Path) -> None:
    top = run("--help", cwd=good)
    assert top.returncode == 0
    assert "not medical advice" in top.stdout
    for command in COMMANDS:
        assert f"\n    {command} " in top.stdout
        own = run(command, "--help", cwd=good)
        assert own.returncode == 0
        assert own.stdout.startswith(f"usage: kgbuild {command}")
        assert max(map(len, own.stdout.splitlines())) < 140


def test_version_and_no_command(good: Path) -> None:
    assert run("--version", cwd=good).stdout.startswith("kgbuild 0.")
    none = run(cwd=good)
    assert none.returncode == 2
    assert "commands:" in none.stdout
    assert run("chek", cwd=good).returncode == 2


def test_check_of_a_good_project_is_quiet_on_stdout(good: Path) -> None:
    done = run("check", cwd=good)
    assert (done.returncode, done.stdout) == (0, "")
    assert "sentences covered" in done.stderr
    assert not (good / "build").exists()


def test_findings_exit_1_and_show_the_line(faulty: Path) -> None:
    done = run("check", cwd=faulty)
    assert done.returncode == 1
    assert "error[KG204]" in done.stderr
    assert "^" in done.stderr
    assert "help: did you mean" in done.stderr
    assert "\x1b" not in done.stderr


def test_colours_when_asked_and_never_with_no_color(faulty: Path) -> None:
    assert "\x1b[" in run("--color", "always", "check", cwd=faulty).stderr
    assert "\x1b[" not in run("check", cwd=faulty, NO_COLOR="1").stderr


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_machine_formats_are_json_on_stdout(faulty: Path, good: Path, form: str) -> None:
    done = run("check", "--format", form, cwd=faulty)
    assert done.returncode == 1
    assert "KG204" in json.dumps(json.loads(done.stdout))
    assert json.loads(run("check", "--format", form, cwd=good).stdout)


def test_github_format_names_file_and_line(faulty: Path) -> None:
    assert "::error file=data/articles/" in run("check", "--format", "github", cwd=faulty).stdout


def test_fail_on_warning(good: Path, tmp_path: Path) -> None:
    root = tmp_path / "warned"
    shutil.copytree(good, root)
    (root / "data/articles/stray.md").write_text("stray")
    assert run("check", cwd=root).returncode == 0
    done = run("check", "--fail-on", "warning", cwd=root)
    assert done.returncode == 1
    assert "warning[KG113]" in done.stderr


def test_no_project_and_bad_settings_exit_2(tmp_path: Path, good: Path) -> None:
    done = run("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "no project" in done.stderr
    root = tmp_path / "bad"
    shutil.copytree(good, root)
    settings = root / "kgbuild.toml"
    settings.write_text(settings.read_text() + '\ntitel = "x"\n')
    done = run("check", cwd=root)
    assert done.returncode == 2
    assert "did you mean 'title'" in done.stderr


def test_build_ends_by_saying_where_to_look(good: Path, tmp_path: Path) -> None:
    root = tmp_path / "built"
    shutil.copytree(good, root)
    done = run("build", "--timings", cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rstrip().endswith("open build/site/index.html")
    assert "validate" in done.stderr
    assert (root / "build/site/index.html").is_file()
    assert "nothing changed" in run("build", cwd=root).stderr
    assert run("query", "-e", "ASK { ?c a kgb:Claim }", cwd=root).stdout == "yes\n"


def test_query_formats(project_root: Path) -> None:
    select = "SELECT ?c WHERE { ?c a kgb:AdviceClaim } ORDER BY ?c"
    csv = run("query", "-e", select, "--format", "csv", cwd=project_root).stdout
    assert csv.splitlines()[0] == "c"
    assert len(csv.splitlines()) == 3
    tsv = run("query", "-e", select, "--format", "tsv", cwd=project_root).stdout
    assert tsv.startswith("?c\n<https://")
    document = json.loads(run("query", "-e", select, "--format", "json", cwd=project_root).stdout)
    assert document["head"]["vars"] == ["c"]
    assert "<sparql" in run("query", "-e", select, "--format", "xml", cwd=project_root).stdout
    turtle = run("query", "-e", "CONSTRUCT WHERE { ?c a kgb:AdviceClaim }", cwd=project_root).stdout
    assert len(rdflib.Graph().parse(data=turtle, format="turtle")) == 2
    assert run("query", "-e", select, "--format", "turtle", cwd=project_root).returncode == 2


def test_a_table_of_claims_keeps_the_certainty(project_root: Path) -> None:
    done = run(
        "query", "-e", "SELECT ?c WHERE { ?c kgb:certainty kgb:certainty-suggested }", cwd=project_root, COLUMNS="70"
    )
    assert done.returncode == 0
    assert done.stdout.count("suggested") >= 3
    assert "sentence" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 70


def test_query_names_parameters_and_faults(project_root: Path) -> None:
    listed = run("query", cwd=project_root)
    assert listed.returncode == 0
    assert "foods" in listed.stdout
    one = run("query", "claims-about", "--param", "entity=id:calcium", "--format", "csv", cwd=project_root)
    assert "c048" in one.stdout
    bad = run("query", "claims-about", "--param", "entity=no iri", cwd=project_root)
    assert bad.returncode == 2
    assert "no IRI" in bad.stderr
    broken = run("query", "-e", "SELECT * WHERE { ?s ?p }", cwd=project_root)
    assert broken.returncode == 1
    assert "KG402" in broken.stderr
    assert run("query", "nothing-like-it", cwd=project_root).returncode == 2
    service = run("query", "-e", "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", cwd=project_root)
    assert service.returncode == 2
    assert "--allow-service" in service.stderr


def test_an_absent_endpoint_exits_4(project_root: Path) -> None:
    done = run("query", "-e", "ASK {}", "--endpoint", "http://127.0.0.1:9/sparql", cwd=project_root)
    assert done.returncode == 4
    assert "no endpoint answers" in done.stderr


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers every query with one row."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"head":{"vars":["x"]},"results":{"bindings":[{"x":{"type":"literal","value":"far"}}]}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/sparql-results+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/sparql"
    server.shutdown()
    server.server_close()


def test_an_endpoint_is_asked_over_http(project_root: Path, endpoint: str) -> None:
    done = run("query", "-e", "SELECT ?x {}", "--endpoint", endpoint, "--format", "csv", cwd=project_root)
    assert (done.returncode, done.stdout) == (0, "x\nfar\n")


def test_the_queries_give_the_expected_answers(project_root: Path) -> None:
    done = run("test", cwd=project_root)
    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stderr
    assert int(done.stderr.split(" passed")[0].rsplit("\n", 1)[-1]) >= 10


def test_a_differing_answer_exits_1_and_update_mends_it(good: Path, tmp_path: Path) -> None:
    root = tmp_path / "differs"
    shutil.copytree(good, root)
    expected = next((root / "queries").glob("*.tsv"))
    expected.write_text(expected.read_text() + "<http://example.org/more>\n")
    done = run("test", cwd=root)
    assert done.returncode == 1
    assert "KG407" in done.stderr
    assert run("test", "--update", cwd=root).returncode == 0
    assert run("test", cwd=root).returncode == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib warns of what its own parsers call
@pytest.mark.parametrize(
    ("form", "rdflib_format"), [("nq", "nquads"), ("trig", "trig"), ("ttl", "turtle"), ("rdf", "xml")]
)
def test_export_to_stdout_and_file(good: Path, tmp_path: Path, form: str, rdflib_format: str) -> None:
    done = run("export", form, cwd=good)
    assert done.returncode == 0, done.stderr
    path = tmp_path / f"out.{form}"
    assert run("export", form, "-o", path, cwd=good).returncode == 0
    assert path.read_text("utf-8") == done.stdout
    assert len(rdflib.Dataset(default_union=True).parse(data=done.stdout, format=rdflib_format)) > 100
    unknown = run("export", "tirg", cwd=good)
    assert unknown.returncode == 2
    assert "trig" in unknown.stderr
    assert run("export", form, "-o", tmp_path / "no/where", cwd=good).returncode == 3


def test_explain_tells_codes_and_shapes(project_root: Path) -> None:
    done = run("explain", "KG204", cwd=project_root)
    assert done.returncode == 0
    assert "unknown entity" in done.stdout
    assert run("explain", "S20", cwd=project_root).returncode == 0
    assert "KG204" in run("explain", cwd=project_root).stdout
    assert run("explain", "KG999", cwd=project_root).returncode == 2


def test_anchor_through_the_door(good: Path, tmp_path: Path) -> None:
    missing = run("anchor", "nothing", tmp_path / "no.txt", cwd=good)
    assert missing.returncode == 2
    article = next((good / "data/articles").glob("*.yaml")).stem
    assert run("anchor", article, tmp_path / "no.txt", cwd=good).returncode == 3


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """Run a command whose talk goes to a terminal, and return the talk."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "kgbuild", "-C", str(cwd), *arguments]
    subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": "xterm"}, timeout=60, check=True
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    return seen


def test_a_terminal_shows_the_stage_that_runs_and_a_pipe_does_not(good: Path) -> None:
    seen = on_a_terminal("check", cwd=good)
    assert "validate …" in seen
    assert seen.index("validate …") < seen.index("claims")
    assert "…" not in run("check", cwd=good).stderr


def test_a_query_says_that_it_has_to_compile_first(good: Path) -> None:
    query = ("query", "-e", "ASK { ?claim a kgb:Claim }")
    seen = on_a_terminal(*query, cwd=good)
    assert seen.index("compiling") < seen.index("validate …")
    assert seen.endswith("\x1b[2K")
    piped = run(*query, cwd=good)
    assert (piped.stdout, piped.stderr.count("\n")) == ("yes\n", 1)
    assert "`kgbuild build` keeps the graph" in piped.stderr
    assert run("build", cwd=good).returncode == 0
    assert run(*query, cwd=good).stderr == on_a_terminal(*query, cwd=good).replace("\r\x1b[2K", "") == ""


def test_from_narrows_a_query_to_the_graphs_it_names(project_root: Path) -> None:
    count = "SELECT (COUNT(*) AS ?n) {} WHERE {{ ?s ?p ?o }}"
    found = []
    for source in ("", "FROM <https://w3id.org/magnesium-rls/graph/asserted>", "FROM <https://example.org/none>"):
        done = run("query", "--format", "csv", "-e", count.format(source), cwd=project_root)
        found.append(int(done.stdout.split()[1]))
    assert found[0] > 10_000
    assert found[1:] == [50, 0]
