"""Calls as coroutines: whoever runs them, cancels them, or forgets them."""

import asyncio
import collections.abc
import gc
import inspect
import subprocess
import sys
import warnings
import weakref

import anyio
import pytest
import uvloop

from promptops import PromptOpsClient, ValidationError

RUNNERS = [asyncio.run, uvloop.run]


@pytest.mark.parametrize("run", RUNNERS)
def test_everything_that_runs_coroutines_runs_calls(filled, run):
    async def main():
        async with PromptOpsClient(**filled) as client:
            for use_cache in [False, True]:

                def get(use_cache=use_cache):
                    return client.get_prompt("greeting", use_cache=use_cache)

                assert isinstance(get(), collections.abc.Coroutine) and inspect.isawaitable(get())
                assert (await get()).slug == "greeting"
                assert (await asyncio.wait_for(get(), 5)).slug == "greeting"
                assert (await asyncio.shield(get())).slug == "greeting"
                assert (await asyncio.create_task(get())).slug == "greeting"
                assert (await asyncio.ensure_future(get())).slug == "greeting"
                both = await asyncio.gather(get(), get(), get())
                assert [prompt.slug for prompt in both] == ["greeting"] * 3
                done, _ = await asyncio.wait([asyncio.create_task(get())])
                assert done.pop().result().slug == "greeting"
                if sys.version_info >= (3, 11):
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(get()) for _ in range(3)]
                    assert all(task.result().slug == "greeting" for task in tasks)
                    async with asyncio.timeout(5):
                        await get()

    run(main())


def test_anyio(filled):
    async def main():
        async with PromptOpsClient(**filled) as client:
            found = []

            async def one():
                found.append((await client.get_prompt("greeting", use_cache=False)).slug)

            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(one)
            assert found == ["greeting"] * 5
            with anyio.move_on_after(0.05) as scope:
                await PromptOpsClient(base_url="sqlite::memory:").list_prompts()
                await anyio.sleep(1)
            assert scope.cancelled_caught

    anyio.run(main)


@pytest.mark.parametrize("use_cache", [False, True])
def test_a_call_is_awaited_once(filled, use_cache):
    async def main():
        async with PromptOpsClient(**filled) as client:
            await client.get_prompt("greeting")
            call = client.get_prompt("greeting", use_cache=use_cache)
            await call
            with pytest.raises(RuntimeError, match="cannot reuse"):
                await call

    asyncio.run(main())


def test_nothing_is_sent_before_it_is_awaited(filled):
    async def main():
        async with PromptOpsClient(**filled) as client:
            call = client.get_prompt("greeting")
            await asyncio.sleep(0.01)
            assert client.get_stats().total_requests == 0
            call.close()

    asyncio.run(main())


@pytest.mark.parametrize("run", RUNNERS)
def test_a_thousand_cancellations(silent, run):
    async def main():
        client = PromptOpsClient(base_url=silent, timeout=30)
        for _ in range(10):
            tasks = [asyncio.create_task(client.get_prompt(f"p{i}")) for i in range(100)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in ended)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.get_prompt("p"), 0.01)

    run(main())


def test_debug_mode_has_nothing_to_say(filled):
    async def main():
        async with PromptOpsClient(**filled) as client:
            for _ in range(10):
                await asyncio.gather(*(client.get_prompt("greeting") for _ in range(10)))
                await client.list_prompts(use_cache=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main(), debug=True)
        gc.collect()


def test_loops_come_and_go(filled):
    client = PromptOpsClient(**filled)

    async def main():
        return (await client.get_prompt("greeting", use_cache=False)).slug

    assert [asyncio.run(main()) for _ in range(20)] == ["greeting"] * 20


def test_what_is_wrong_is_told_where_it_is_awaited(filled):
    """As by any coroutine, whether or not the cache could answer."""

    async def main():
        async with PromptOpsClient(**filled) as client:
            await client.get_prompt("greeting")
            return await asyncio.gather(
                client.render_prompt("greeting", {}, strict=True),
                client.render_prompt("greeting", {"name": object()}),
                client.get_prompt("greeting", fallback=1, use_cache=False),
                client.create_prompt({"title": "of no such field"}),
                client.list_prompts(sort_by="colour"),
                client.clear_cache(version="1.0.0"),
                client.get_model_compatibility("greeting", 1, "gpt-4"),
                return_exceptions=True,
            )

    assert [type(error) for error in asyncio.run(main())] == [ValidationError] * 7


def test_a_loop_that_was_closed_with_calls_in_flight_is_gone(silent):
    client = PromptOpsClient(base_url=silent, timeout=30)
    loops = []

    def close_in_flight():
        loop = asyncio.new_event_loop()
        task = loop.create_task(client.get_prompt("a"))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        # asyncio says of a task that nobody ended; that is what is tried here.
        task._log_destroy_pending = False
        loops.append(weakref.ref(loop))

    for _ in range(6):
        close_in_flight()
        gc.collect()
    # The last one is looked at when another loop comes.
    assert [loop() for loop in loops[:5]] == [None] * 5


@pytest.mark.parametrize(
    "ending",
    ["pass", "raise SystemExit(0)", "import os; os._exit(0)", "del client", "loop.close()"],
)
def test_the_interpreter_ends_with_calls_in_flight(silent, ending):
    program = f"""
import asyncio, promptops
client = promptops.PromptOpsClient(base_url={silent!r})
loop = asyncio.new_event_loop()
async def main():
    tasks = [loop.create_task(client.get_prompt(str(i))) for i in range(50)]
    await asyncio.sleep(0.05)
    return tasks
tasks = loop.run_until_complete(main())
{ending}
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], timeout=20, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "Fatal" not in ended.stderr and "panicked" not in ended.stderr


def test_no_reference_is_kept(filled):
    async def main():
        async with PromptOpsClient(**filled) as client:
            await client.get_prompt("greeting")
            gc.collect()
            before = sys.getallocatedblocks()
            for _ in range(100_000):
                await client.get_prompt("greeting")
            for _ in range(300):
                await client.get_prompt("greeting", use_cache=False)
                try:
                    await client.get_prompt("gone", use_cache=False)
                except LookupError:
                    pass
            gc.collect()
            assert sys.getallocatedblocks() - before < 500

    asyncio.run(main())


def test_the_current_trace_reaches_the_request():
    import http.server
    import threading

    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("traceparent"))
            body = b'{"id": "p", "slug": "p", "version": "1.0.0", "content": "x"}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    registry = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    tracer = TracerProvider().get_tracer("test")

    async def main():
        url = f"http://127.0.0.1:{registry.server_port}/v1"
        async with PromptOpsClient(base_url=url, cache={"level": "none"}) as client:
            with tracer.start_as_current_span("outer") as span:
                await client.get_prompt("p")
                return trace.format_trace_id(span.get_span_context().trace_id)

    expected = asyncio.run(main())
    registry.shutdown()
    assert seen[-1].split("-")[1] == expected
