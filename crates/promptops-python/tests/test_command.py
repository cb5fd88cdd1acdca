"""The command that comes with the wheel, and what is logged."""

import http.server
import logging
import pathlib
import subprocess
import sys
import threading

from promptops import blocking

COMMAND = str(pathlib.Path(sys.executable).parent / "promptops")


def run(*arguments):
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60)


def test_the_command_is_there():
    told = run("--version")
    assert told.returncode == 0 and told.stdout.startswith("promptops 0."), told
    assert "serve" in run("--help").stdout
    wrong = run("sirve")
    assert wrong.returncode == 2 and "serve" in wrong.stderr


def test_it_works_on_a_registry_of_the_package(tmp_path):
    with blocking.PromptOpsClient(base_url=f"sqlite:{tmp_path}/prompts.db") as client:
        client.create_prompt({"name": "Greeting", "content": "Hello"})
    copied = run("backup", "--db", f"sqlite:{tmp_path}/prompts.db", f"{tmp_path}/copy.db")
    assert copied.returncode == 0, copied.stderr
    with blocking.PromptOpsClient(base_url=f"sqlite:{tmp_path}/copy.db") as client:
        assert client.get_prompt("greeting").content == "Hello"


def test_warnings_are_logged(caplog):
    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            body = b'{"id": "p", "slug": "p", "version": "1.0.0", "content": "x"}'
            self.send_response(Handler.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    registry = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    client = blocking.PromptOpsClient(
        base_url=f"http://127.0.0.1:{registry.server_port}/v1",
        cache={"ttl": 0, "stale_while_revalidate": 0},
        retry={"max_attempts": 1},
        telemetry={"enabled": False},
    )
    client.get_prompt("p")
    Handler.status = 503
    with caplog.at_level(logging.WARNING, logger="promptops"):
        assert client.get_prompt("p").content == "x"
    registry.shutdown()
    assert [record.name for record in caplog.records] == ["promptops"]
    assert "stale prompts are served" in caplog.text
