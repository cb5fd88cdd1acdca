"""Each exception: its class, its fields, what it is by Python's own reckoning."""

import asyncio
import builtins
import functools
import http.server
import pickle
import socket
import threading
from unittest import mock

import pytest

import promptops
from promptops import CacheConfig, CacheLevel, blocking, exceptions


@pytest.fixture
def answering():
    """A registry that answers everything with one status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status)
            for name, value in self.server.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.headers = 200, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def client(status, **headers):
        server.status = status
        server.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{server.server_port}/v1"
        return blocking.PromptOpsClient(base_url=url, retry={"max_attempts": 1})

    yield client
    server.shutdown()


def raised(call):
    with pytest.raises(promptops.PromptOpsError) as caught:
        call()
    error = caught.value
    assert error.message and error.error_code and isinstance(error.details, dict)
    assert isinstance(error.retryable, bool)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.__dict__.keys() == error.__dict__.keys()
    assert str(again) == str(error) and repr(again) == repr(error) and again.args == error.args
    return error


def test_authentication(answering):
    error = raised(lambda: answering(401).get_prompt("a"))
    assert type(error) is exceptions.AuthenticationError and not error.retryable


def test_authorization(answering):
    error = raised(lambda: answering(403).get_prompt("a"))
    assert type(error) is exceptions.AuthorizationError


def test_not_found(filled):
    with blocking.PromptOpsClient(**filled) as client:
        error = raised(lambda: client.get_prompt("greting"))
    assert type(error) is exceptions.PromptNotFoundError and isinstance(error, LookupError)
    assert (error.prompt_id, error.suggested_prompts) == ("greting", ["greeting"])
    assert error.status == 404 and error.request_id and error.attempts == 1
    assert "did you mean `greeting`" in str(error)


def test_validation(filled):
    with blocking.PromptOpsClient(**filled) as client:
        error = raised(lambda: client.create_prompt({"content": "no name"}))
        assert type(error) is exceptions.ValidationError and isinstance(error, ValueError)
        assert error.validation_errors


def test_rate_limit(answering):
    error = raised(lambda: answering(429, retry_after="7").get_prompt("a"))
    assert type(error) is exceptions.RateLimitError and error.retry_after == 7
    assert isinstance(error.retry_after, int) and error.retryable


def test_server(answering):
    error = raised(lambda: answering(503).get_prompt("a"))
    assert type(error) is exceptions.ServerError and error.status_code == 503


def test_network():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    client = blocking.PromptOpsClient(base_url=url, retry={"max_attempts": 1})
    error = raised(lambda: client.get_prompt("a"))
    assert type(error) is exceptions.NetworkError and isinstance(error, ConnectionError)
    assert isinstance(error.original_error, Exception)


def test_timeout(silent):
    client = blocking.PromptOpsClient(base_url=silent, timeout=0.05)
    error = raised(lambda: client.get_prompt("a"))
    assert type(error) is exceptions.TimeoutError and isinstance(error, builtins.TimeoutError)
    assert error.timeout_duration == 0.05


def test_cache():
    cache = CacheConfig(level=CacheLevel.REDIS, redis_url="redis://127.0.0.1:1/")
    client = blocking.PromptOpsClient(base_url="sqlite::memory:", cache=cache)
    error = raised(client.clear_cache)
    assert type(error) is exceptions.CacheError and error.cache_type == "redis"


def test_telemetry(silent):
    telemetry = {"sample_rate": 1.0, "endpoint": silent}
    client = blocking.PromptOpsClient(
        base_url="sqlite::memory:", telemetry=telemetry, timeout=0.2
    )
    client.list_prompts()
    error = raised(client.flush_telemetry)
    assert type(error) is exceptions.TelemetryError


class Says:
    """An object that says what it is, which need not be so."""

    def __init__(self, what):
        self.what = what

    def to_dict(self):
        return self.what(self)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), "name"),
        (2**64, "name"),
        ({"a": [1, {2: 3}]}, "name.a.1"),
        (b"bytes", "name"),
        (object(), "name"),
        ("\ud800", "name"),
        (mock.MagicMock(), "name"),
        (Says(lambda says: says), "name"),
        (Says(lambda says: {"again": says}), "name.again.again"),
        (functools.reduce(lambda inner, _: [inner], range(200), 0), "name.0.0"),
    ],
)
def test_what_json_has_not_is_told_with_its_place(filled, value, place):
    with blocking.PromptOpsClient(**filled) as client:
        with pytest.raises(promptops.ValidationError, match=f"`{place}[`.]"):
            client.render_prompt("greeting", {"name": value})


def test_wrong_arguments_are_type_errors():
    client = promptops.PromptOpsClient(base_url="sqlite::memory:")
    for call in [
        lambda: client.get_prompt(),
        lambda: client.get_prompt(7),
        lambda: client.get_prompt("a", colour="red"),
        lambda: promptops.PromptOpsClient(timeout="soon"),
    ]:
        with pytest.raises(TypeError):
            call()


def test_the_document_s_way_of_catching(filled):
    async def main():
        async with promptops.PromptOpsClient(**filled) as client:
            try:
                return await client.get_prompt("my-prompt")
            except promptops.PromptNotFoundError:
                return "fallback"
            except promptops.AuthenticationError:
                return "authenticate"
            except promptops.RateLimitError as e:
                await asyncio.sleep(e.retry_after)

    assert asyncio.run(main()) == "fallback"
