"""Processes that are forked, after a client was used and before."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

import promptops
from promptops import PromptOpsClient, blocking


def row(measured):
    """A row of the table of faults, with those of the other processes that fork."""
    promised = "works, or raises clearly; never hangs; 200 forks"
    print(f"\nrow\t38\tfork after use\t{promised}\t{measured}\tnone\tmet")


def child(work):
    """Runs work in a forked child; gives its exit code, 1 for an exception, -1 if it hangs."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


def test_two_hundred_forks_after_use(filled):
    client = blocking.PromptOpsClient(**filled)
    client.get_prompt("greeting")
    awaited = PromptOpsClient(**filled)

    async def main():
        return (await awaited.get_prompt("greeting", use_cache=False)).slug

    assert asyncio.run(main()) == "greeting"

    def work():
        assert client.get_prompt("greeting").slug == "greeting"
        assert client.get_prompt("greeting", use_cache=False).slug == "greeting"
        assert asyncio.run(main()) == "greeting"

    forks = 200
    ended = [child(work) for _ in range(forks)]
    assert ended == [0] * forks
    hung = ended.count(-1)
    row(f"{forks} forks of a used client: {hung} hung, {forks - ended.count(0)} failed")
    # And the parent goes on.
    assert client.get_prompt("greeting", use_cache=False).slug == "greeting"


def test_a_child_of_a_child(filled):
    client = blocking.PromptOpsClient(**filled)
    client.get_prompt("greeting")

    def work():
        client.get_prompt("greeting", use_cache=False)
        assert child(lambda: client.get_prompt("greeting", use_cache=False)) == 0

    assert child(work) == 0


def test_the_client_of_a_child_goes_with_a_grandchild(tmp_path):
    client = blocking.PromptOpsClient(base_url=f"sqlite:{tmp_path}/prompts.db")
    client.list_prompts()

    def work():
        nonlocal client
        client.list_prompts()

        def drop():
            nonlocal client
            told = []
            # What goes wrong while an object is freed is raised nowhere.
            sys.unraisablehook = told.append
            del client
            assert told == []

        assert child(drop) == 0

    assert child(work) == 0


def test_the_first_calls_of_a_child_come_from_many_threads(filled):
    client = blocking.PromptOpsClient(**filled)
    client.get_prompt("greeting")

    def work():
        found = []
        ready = threading.Barrier(8)

        def call():
            ready.wait()
            found.append(client.get_prompt("greeting").slug)

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == ["greeting"] * 8

    assert [child(work) for _ in range(10)] == [0] * 10


def test_a_registry_in_memory_is_told_to_be_gone():
    client = blocking.PromptOpsClient(base_url="sqlite::memory:")
    client.list_prompts()

    def work():
        with pytest.raises(promptops.ConfigError, match="forked"):
            client.list_prompts()

    assert child(work) == 0


def test_what_is_cached_expires_in_a_child_too(filled):
    client = blocking.PromptOpsClient(**filled, cache={"ttl": 0.2, "stale_while_revalidate": 0})
    client.get_prompt("greeting")

    def work():
        client.get_prompt("greeting")
        time.sleep(0.4)
        misses = client.get_cache_stats().misses
        client.get_prompt("greeting")
        assert client.get_cache_stats().misses == misses + 1

    assert child(work) == 0


def fetched(settings):
    with blocking.PromptOpsClient(**settings) as client:
        return client.get_prompt("greeting").slug


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(filled, method):
    assert fetched(filled) == "greeting"
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        assert pool.map(fetched, [filled] * 9) == ["greeting"] * 9
    if filled["base_url"].startswith("http"):
        row(f"multiprocessing, {method}: 9 of 9 calls in 3 processes")


APPLICATION = """
import os, promptops
from promptops import blocking

client = blocking.PromptOpsClient(base_url=os.environ["URL"], api_key=os.environ["KEY"], project=os.environ["PROJECT"])
client.get_prompt("greeting")

def app(environ, start):
    slug = client.get_prompt("greeting", use_cache=False).slug
    start("200 OK", [("content-type", "text/plain")])
    return [slug.encode()]
"""


def test_gunicorn_with_preload(server, tmp_path):
    project = tmp_path.name
    with blocking.PromptOpsClient(base_url=server.url, api_key=server.key, project=project) as client:
        client.create_prompt({"name": "Greeting", "content": "Hello"})
    (tmp_path / "application.py").write_text(APPLICATION)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "3", "-b", f"127.0.0.1:{port}"]
    environment = {**os.environ, "URL": server.url, "KEY": server.key, "PROJECT": project}
    process = subprocess.Popen(
        [*command, "application:app"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    )
    try:
        answers, deadline = [], time.monotonic() + 20
        while len(answers) < 12:
            assert time.monotonic() < deadline
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    answers.append(answer.read())
            except OSError:
                time.sleep(0.1)
        assert answers == [b"greeting"] * 12
        row("gunicorn --preload, 3 workers: 12 of 12 answers")
    finally:
        process.terminate()
        process.communicate(timeout=20)
