"""The client without asyncio: other threads run while it waits."""

import signal
import threading
import time

import pytest

from promptops import blocking


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


def test_ctrl_c_ends_a_call(silent):
    client = blocking.PromptOpsClient(base_url=silent, timeout=30)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            client.get_prompt("a")
        assert time.monotonic() - began < 5
    finally:
        signal.signal(signal.SIGALRM, previous)
