"""Registries for the tests: one in the process, and one that `promptops serve` serves."""

import os
import pathlib
import re
import subprocess
import time

import pytest

import promptops
from promptops import blocking

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Server:
    """A running `promptops serve`."""

    def __init__(self, folder):
        program = os.environ.get("PROMPTOPS_BIN", str(ROOT / "target/debug/promptops"))
        log = folder / "log"
        self.output = open(log, "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--db", f"sqlite:{folder}/prompts.db"],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 20
        while True:
            told = log.read_text(encoding="utf-8")
            key = re.search(r"po_[A-Za-z0-9]+", told)
            address = re.search(r"127\.0\.0\.1:\d+", told)
            if key and address:
                self.key, self.url = key[0], f"http://{address[0]}/v1"
                return
            assert time.monotonic() < deadline and self.process.poll() is None, told
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.output.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(params=["embedded", "server"])
def settings(request, tmp_path):
    """The arguments of a client of an empty project, of each kind of registry."""
    if request.param == "embedded":
        return {"base_url": f"sqlite:{tmp_path}/prompts.db"}
    server = request.getfixturevalue("server")
    # One server for all; each test has a project of its own.
    return {"base_url": server.url, "api_key": server.key, "project": tmp_path.name}


GREETING = {
    "name": "Greeting",
    "description": "Greets a customer",
    "content": "Hello {{ name }}!",
    "variables": ["name"],
    "target_models": ["openai"],
    "model_specific_prompts": [{"model_provider": "openai", "content": "Hi {{ name }}!"}],
    "tags": ["support"],
    "metadata": {"owner": "ann"},
    "module_id": "desk",
}


@pytest.fixture
def filled(settings):
    """The same of a project that has a prompt."""
    with blocking.PromptOpsClient(**settings) as client:
        client.create_prompt(GREETING)
    return settings


@pytest.fixture
def silent():
    """A port that takes connections and says nothing."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.close()


__all__ = ["GREETING", "ROOT", "promptops"]
