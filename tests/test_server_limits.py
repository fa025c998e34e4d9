"""What a server does not let anyone do: run long, take much, wait in masses, dawdle, or knock it over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

import pyoxigraph as ox
import pytest
from servers import Server, children, finish, seconds, serving, until

from kgbuild.server import jobs
from kgbuild.server.connections import EagerTask
from kgbuild.server.jobs import Job, Reply, job_message, read_job, read_reply, recall_message, reply_message
from kgbuild.server.turns import BusyError, Turns
from kgbuild.server.worker import _messages as worker_messages

ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . FILTER(?a != ?i && %d != 0) }"
SECONDS = 1.0


@pytest.fixture(scope="module")
def strict(built: Path) -> Iterator[Server]:
    """Serve within narrow limits."""
    options = (
        "--timeout",
        "1",
        "--max-rows",
        "1000",
        "--max-bytes",
        "1",
        "--queue",
        "8",
        "--patience",
        "1",
        "--memory",
        "300",
    )
    with serving(built, *options) as running:
        yield running


def test_a_query_is_stopped_in_time(strict: Server) -> None:
    start = time.perf_counter()
    got = strict.query(ENDLESS % 1)
    took = time.perf_counter() - start
    assert (got.status, got.headers["kgbuild-limit"]) == (504, "time")
    assert SECONDS <= took < SECONDS + 0.3 + 0.5  # 0.3 s alone on the machine; the rest is for a busy one
    assert strict.query("ASK {}").status == 200


def test_a_stopped_query_stops_working(strict: Server) -> None:
    strict.query(ENDLESS % 2)

    def idle() -> bool:
        def worked() -> float:
            return sum(map(seconds, children(strict.process.pid)))

        with contextlib.suppress(FileNotFoundError):
            before = worked()
            time.sleep(0.3)
            return worked() - before <= 0.03
        return False

    assert until(idle)


def test_workers_end_with_a_server_that_is_killed(built: Path) -> None:
    with serving(built, "--timeout", "60") as server:
        workers = children(server.process.pid)
        assert workers
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(asking(ENDLESS % 9))
            assert until(lambda: "kgbuild_running 1.0" in server.ask("-/metrics").text)
            server.process.kill()
            server.process.wait()
        assert until(lambda: not any(map(is_running, workers)))


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def asking(query: str) -> bytes:
    return f"GET /sparql?{urlencode({'query': query})} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def test_a_query_whose_client_has_gone_stops(built: Path) -> None:
    with serving(built, "--timeout", "60") as server:
        for before in ([], ["ASK {}"]):  # the headers are new to the server, or known
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                for query in before:
                    client.sendall(asking(query))
                    assert client.recv(10_000).startswith(b"HTTP/1.1 200")
                client.sendall(asking(ENDLESS % 3))
                assert until(lambda: "kgbuild_running 1.0" in server.ask("-/metrics").text)
            assert until(lambda: "kgbuild_running 0.0" in server.ask("-/metrics").text)
            assert server.query("ASK {}").status == 200


def test_clients_that_leave_quick_queries_cost_no_worker(built: Path) -> None:
    with serving(built) as server:
        assert until(lambda: len(children(server.process.pid)) == 2)
        before = set(children(server.process.pid))
        for number in range(20):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(asking(f"ASK {{ ?s ?p {number} }}"))
                time.sleep(0.01)
        assert until(lambda: "kgbuild_running 0.0" in server.ask("-/metrics").text)
        assert before & set(children(server.process.pid))


def test_the_next_asks_where_the_first_of_two_goes_away(built: Path) -> None:
    slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?b ?f . FILTER(STRLEN(STR(?c)) > STRLEN(STR(?f)) + 1000) }"
    request = asking(slow)
    with serving(built, "--timeout", "1") as server:
        first = socket.create_connection(("127.0.0.1", server.port))
        first.sendall(request)
        assert until(lambda: "kgbuild_running 1.0" in server.ask("-/metrics").text)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as second:
            second.sendall(request)
            time.sleep(0.2)
            first.close()
            assert second.recv(12) in {b"HTTP/1.1 504", b"HTTP/1.1 200"}


def test_a_query_begun_is_not_recalled_with_those_behind_it(built: Path) -> None:
    with serving(built, "--workers", "1", "--timeout", "3") as server:
        for number in range(30):
            assert server.query(f"ASK {{ ?s ?p {number} }}").status == 200
        (worker,) = children(server.process.pid)
        os.kill(worker, signal.SIGSTOP)
        with contextlib.ExitStack() as stack:
            clients = []
            for number in range(3):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
                client.sendall(asking(f"SELECT ({number} AS ?n) {{}}"))
                clients.append(client)
                time.sleep(0.005)
            time.sleep(0.12)  # the queries behind the first are recalled while the worker has read none
            os.kill(worker, signal.SIGCONT)
            assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 3
        assert worker in children(server.process.pid)


def test_a_recall_takes_back_what_came_after_the_job_that_has_begun() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        jobs = [job_message(Job(f"ASK {{ {number} }}"), number) for number in (1, 2, 3)]
        messages = [*jobs, recall_message(4, begun=1), job_message(Job("ASK {}"), 5)]
        ours.sendall(b"".join([message.pack() for message in messages]))
        assert [message.number for message in islice(worker_messages(theirs), 3)] == [1, 4, 5]


def test_what_messages_hold_is_remembered_only_where_it_is_short() -> None:
    before = (jobs._read_usual.cache_info().currsize, jobs._write_usual.cache_info().currsize)
    long = Job("ASK {}", default=tuple(f"http://a/{number}/{time.time_ns()}" for number in range(100)))
    assert read_job(job_message(long, 1)) == long
    told = Reply("syntax", message=f"no {'x' * 500} {time.time_ns()}")
    assert read_reply(reply_message(told, 1)) == told
    assert (jobs._read_usual.cache_info().currsize, jobs._write_usual.cache_info().currsize) == before


@pytest.mark.parametrize("late", [False, True])
def test_a_client_that_leaves_takes_its_query_with_it(late: bool) -> None:
    """Also where it leaves in the turn of the loop in which its query was given a place (`late`)."""

    async def leave() -> tuple[list[str], int]:
        turns, log = Turns(short=1, long=0, queue=8), []
        first = await turns.take("a")

        async def ask() -> None:
            turn = await turns.take("b")
            log.append("given to a worker")
            turn.release()

        task = EagerTask(ask())
        task.step()
        if late:
            first.release()
            task.cancel()
        else:
            task.cancel()
            first.release()
        await asyncio.sleep(0.01)
        return log, turns.running_short

    assert finish(leave()) == ([], 0)


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("SELECT * { ?s ?p ?o } LIMIT 1001", "application/sparql-results+json"),
        ("SELECT * { ?s ?p ?o } LIMIT 1001", "application/sparql-results+xml"),
        ("SELECT * { ?s ?p ?o } LIMIT 1001", "text/csv"),
        ("SELECT * { ?s ?p ?o } LIMIT 1001", "text/tab-separated-values"),
        ("CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1001", "text/turtle"),
        ('SELECT ?x {{ BIND(REPLACE("{}", "a", "{}") AS ?x) }}'.format("a" * 2000, "b" * 1000), "text/csv"),
    ],
)
def test_an_answer_that_is_too_large_is_refused_whole(strict: Server, query: str, accept: str) -> None:
    got = strict.query(query, accept)
    assert (got.status, got.headers["kgbuild-limit"]) == (422, "size")
    assert re.search(r"more than 1,000|larger than", got.json()["detail"])


@pytest.mark.parametrize(
    "accept",
    ["application/sparql-results+json", "application/sparql-results+xml", "text/csv", "text/tab-separated-values"],
)
def test_an_answer_at_the_limit_is_whole(strict: Server, accept: str) -> None:
    got = strict.query("SELECT ?s ?o { ?s ?p ?o } LIMIT 1000", accept)
    assert got.status == 200


def test_a_query_that_takes_too_much_memory_is_stopped(built: Path) -> None:
    steps = " ".join(f"BIND(CONCAT({', '.join([f'?x{n}'] * 10)}) AS ?x{n + 1})" for n in range(6))
    with serving(built, "--timeout", "20", "--memory", "64") as server:
        got = server.query(f'SELECT (STRLEN(?x6) AS ?n) {{ BIND("{"x" * 1000}" AS ?x0) {steps} }}')
        assert (got.status, got.headers.get("kgbuild-limit")) == (507, "memory")
        assert server.query("ASK {}").status == 200


def test_a_store_of_many_files_is_read_whole_and_no_more_is_opened(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(built, root)
    store = ox.Store(str(root / "build/store"))
    name, quads = ox.NamedNode("https://example.org/many"), len(store)
    for number in range(2):
        value = ox.Literal(f"value {number}")
        store.bulk_extend([ox.Quad(name, name, value, name), ox.Quad(name, name, value)])
    del store
    assert len(list((root / "build/store").glob("*.sst"))) > 20
    with serving(root, "--workers", "1") as server:
        everything = server.query("SELECT (COUNT(*) AS ?n) (MAX(?o) AS ?last) { GRAPH ?g { ?s ?p ?o } }", "text/csv")
        assert everything.status == 200, everything.text
        assert everything.text.split()[1].startswith(f"{quads + 2},")
        for part in ("?s ?p ?o", "<https://example.org/many> ?p ?o", "?s ?p 'value 1'", "?s a kgb:Claim ; ?p ?o"):
            assert server.query(f"SELECT * {{ {part} }} LIMIT 20000").status == 200
        assert server.ask("api/entity/kale").json()["claims"]
        assert server.ask("id/kale.ttl").status == 200
        files = {path.name for path in (root / "build/store").glob("*.sst")}
        assert until(lambda: all(most_files(worker) <= 80 for worker in children(server.process.pid)))
        workers = children(server.process.pid)
        assert workers
        for worker in workers:
            opened = {link.readlink().name for link in Path(f"/proc/{worker}/fd").iterdir()}
            assert files >= {name for name in opened if name.endswith(".sst")}


def most_files(pid: int) -> int:
    """Return how many files a process may open: of a worker that starts, as many as of its server."""
    with contextlib.suppress(FileNotFoundError):
        return int(Path(f"/proc/{pid}/limits").read_text("ascii").partition("Max open files")[2].split()[0])
    return 0


def test_deep_nesting_ends_nothing_but_its_worker(strict: Server) -> None:
    for query in ("ASK {" + "{" * 20_000 + "}" * 20_000 + "}", "ASK { FILTER(" + "(" * 5000 + "1" + ")" * 5000 + ") }"):
        assert strict.ask("sparql", "POST", query, content_type="application/sparql-query").status in {400, 507, 504}
    assert strict.query("ASK {}").status == 200


def test_giant_values_are_bounded(strict: Server) -> None:
    values = " ".join(f"<http://a/{number}>" for number in range(20_000))
    got = strict.ask(
        "sparql", "POST", f"SELECT * {{ VALUES ?x {{ {values} }} }}", content_type="application/sparql-query"
    )
    assert got.status == 422
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert strict.ask("sparql", "POST", b"x" * (2 << 20), content_type="application/sparql-query").status == 413


def test_addresses_and_headers_are_bounded(strict: Server) -> None:
    assert strict.ask("sparql?query=" + "a" * 20_000).status == 414
    assert strict.ask("", **{f"x_{number}": "a" * 5000 for number in range(12)}).status == 431


def test_a_full_queue_says_when_to_come_back(strict: Server) -> None:
    answers = []

    def ask(number: int) -> None:
        answers.append(strict.query(ENDLESS % (number + 100)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {503, 504}
    assert all(answer.headers["retry-after"] for answer in answers if answer.status == 503)


def test_quick_queries_do_not_wait_behind_slow_ones(built: Path) -> None:
    with serving(built, "--timeout", "3") as server:
        threads = [threading.Thread(target=server.query, args=(ENDLESS % number,)) for number in (1, 2)]
        for thread in threads:
            thread.start()
        time.sleep(0.4)
        start = time.perf_counter()
        assert server.query("ASK { ?s ?p ?o FILTER(?s != 7) }").status == 200
        assert time.perf_counter() - start < 1.5
        for thread in threads:
            thread.join()


def test_each_query_gets_its_own_answer_whatever_runs_beside_it(built: Path) -> None:
    """Workers are given queries ahead; those are recalled when the one before them takes long, or ends its worker."""
    wrong = []
    steps = " ".join(f"BIND(CONCAT({', '.join([f'?x{n}'] * 10)}) AS ?x{n + 1})" for n in range(6))
    hungry = f'SELECT (STRLEN(?x6) AS ?n) (%d AS ?m) {{ BIND("{"x" * 1000}" AS ?x0) {steps} }}'

    def ask(server: Server, client: int) -> None:
        for number in range(client * 1000, client * 1000 + 60):
            got = server.ask(
                "sparql?" + urlencode({"query": f"SELECT ({number} AS ?n) {{}}"}), source=f"127.0.0.{client}"
            )
            found = got.json()["results"]["bindings"][0]["n"]["value"] if got.status == 200 else got.text
            if found != str(number):
                wrong.append(found)

    with serving(built, "--timeout", "1", "--memory", "200", "--workers", "1") as server:
        threads = [threading.Thread(target=ask, args=(server, client)) for client in range(2, 10)]
        for thread in threads:
            thread.start()
        for number in range(3):
            assert server.query(ENDLESS % (number + 50)).status == 504
            assert server.query(hungry % number).status in {504, 507}
        for thread in threads:
            thread.join()
        assert not wrong
        assert until(lambda: "kgbuild_running 0.0" in server.ask("-/metrics").text)


def test_slow_clients_are_cut_off(strict: Server) -> None:
    for beginning in (
        b"",
        b"GET / HTTP/1.1\r\nHo",
        b"POST /sparql HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab",
    ):
        with socket.create_connection(("127.0.0.1", strict.port), timeout=10) as client:
            client.sendall(beginning)
            start = time.perf_counter()
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(100) == b""
            assert time.perf_counter() - start < 5


def test_a_client_that_does_not_read_is_cut_off(strict: Server) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", strict.port))
        client.settimeout(10)
        client.sendall(b"GET /data/magnesium-rls.nq HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        time.sleep(2.5)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            read = 0
            while part := client.recv(1 << 20):
                read += len(part)
            whole = int(strict.ask("data/magnesium-rls.nq", "HEAD").headers["content-length"])
            assert read < 3 * whole


def test_malformed_bytes_do_no_harm(strict: Server) -> None:
    noise = random.Random(7)
    for beginning in (
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /sparql HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", strict.port), timeout=5) as client:
                client.sendall(beginning + noise.randbytes(200) + b"\r\n\r\n")
                with contextlib.suppress(ConnectionResetError, TimeoutError):
                    head = client.recv(1000)
                    assert head == b"" or head.startswith(b"HTTP/1.1 4"), head
    assert strict.ask("-/health").status == 200


def test_a_crowd_does_not_drown_a_single_client(built: Path) -> None:
    """A short form of the abuse of benchmarks/serve.py: attackers beside a client that behaves."""
    with serving(built, "--timeout", "1", "--patience", "2") as server:
        base = memory(server)
        stop = threading.Event()
        threads = [threading.Thread(target=attack, args=(server, stop, number)) for number in range(12)]
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for thread in threads:
            thread.start()
        times = []
        end = time.monotonic() + 4
        while time.monotonic() < end:
            start = time.perf_counter()
            query = f"SELECT ?l {{ id:magnesium rdfs:label ?l }} LIMIT {len(times) + 1}"
            got = server.ask("sparql?" + urlencode({"query": query}), source="127.0.0.2")
            times.append(time.perf_counter() - start)
            assert got.status == 200
            time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        for connection in idle:
            connection.close()
        assert len(times) > 5
        assert sorted(times)[int(len(times) * 0.9)] < 2
        assert until(lambda: memory(server) < base * 2 + (200 << 20), 15)


def attack(server: Server, stop: threading.Event, number: int) -> None:
    round_ = 0
    while not stop.is_set():
        round_ += 1
        with contextlib.suppress(OSError):
            server.query(ENDLESS % (number * 1000 + round_))


def memory(server: Server) -> int:
    found = 0
    for pid in (server.process.pid, *children(server.process.pid)):
        with contextlib.suppress(FileNotFoundError):
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return found


# Turns


def test_clients_are_served_in_rotation() -> None:
    async def order() -> list[str]:
        turns, served = Turns(short=1, long=0, queue=16), []

        async def one(client: str) -> None:
            turn = await turns.take(client)
            served.append(client)
            await asyncio.sleep(0)
            turn.release()

        await asyncio.gather(*(one(client) for client in ["a", "a", "a", "b", "c"]))
        return served

    assert finish(order()) == ["a", "a", "b", "c", "a"]


def test_one_client_cannot_fill_the_queue() -> None:
    async def fill() -> tuple[int, int]:
        turns = Turns(short=2, long=2, queue=8)
        tasks = [asyncio.ensure_future(turns.take("a")) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = sum(isinstance(task.exception(), BusyError) for task in tasks if task.done() and not task.cancelled())
        other = await asyncio.wait_for(turns.take("b"), 1) if turns.running_short < 2 else None
        depth = turns.depth
        if other:
            other.release()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return refused, depth

    assert finish(fill()) == (6, 2)


def test_a_turn_that_is_not_waited_for_is_given_back() -> None:
    async def cancel() -> int:
        turns = Turns(short=1, long=0, queue=4)
        first = await turns.take("a")
        second = asyncio.ensure_future(turns.take("b"))
        await asyncio.sleep(0)
        first.release()
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        return turns.running_short

    assert finish(cancel()) == 0
