"""The client without asyncio: other threads run while it waits."""

import contextlib
import http.server
import signal
import threading
import time

import pytest

from promptops import PromptNotFoundError, blocking


def test_other_threads_run_while_a_call_waits(silent):
    client = blocking.PromptOpsClient(base_url=silent, timeout=0.5)
    counted = 0

    def wait():
        with pytest.raises(TimeoutError):
            client.get_prompt("a")

    waiting = threading.Thread(target=wait)
    waiting.start()
    while waiting.is_alive():
        counted += 1
        time.sleep(0.01)
    assert counted > 10


def test_threads_share_a_client(filled):
    client = blocking.PromptOpsClient(**filled)
    found = []

    def work():
        for number in range(50):
            found.append(client.get_prompt("greeting", use_cache=number % 5 > 0).slug)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["greeting"] * 400


def test_the_calls_of_threads_wait_together():
    """A registry that answers nobody before all have asked."""
    everybody = threading.Barrier(8)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            everybody.wait(20)
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    registry = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{registry.server_port}/v1"
    found = []
    client = blocking.PromptOpsClient(base_url=url, timeout=20, retry={"max_attempts": 1})

    def ask(number):
        with pytest.raises(PromptNotFoundError):
            client.get_prompt(f"prompt-{number}")
        found.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry.shutdown()
    assert sorted(found) == list(range(8))


@contextlib.contextmanager
def interrupted():
    """What is done in it is interrupted as by Ctrl-C, soon."""
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_ctrl_c_ends_a_call(silent):
    client = blocking.PromptOpsClient(base_url=silent, timeout=30)
    began = time.monotonic()
    with interrupted():
        client.get_prompt("a")
    assert time.monotonic() - began < 5


def test_ctrl_c_at_the_end_of_a_block_is_not_lost(silent):
    telemetry = {"sample_rate": 1.0, "endpoint": silent}
    with interrupted():
        with blocking.PromptOpsClient(base_url="sqlite::memory:", telemetry=telemetry) as client:
            client.list_prompts()


def test_an_interrupt_while_values_are_read_is_no_validation_error(filled):
    class Interrupted:
        def to_dict(self):
            raise KeyboardInterrupt

    client = blocking.PromptOpsClient(**filled)
    with pytest.raises(KeyboardInterrupt):
        client.render_prompt("greeting", {"name": Interrupted()})
    with pytest.raises(KeyboardInterrupt):
        client.create_prompt(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        client.update_config(Interrupted())
