"""The Python rows of the table of speed: ours and the peers in turn, in one process, 9 rounds each.

Prints lines as `cargo xtask bench python` reads them, which `tests/benches/row.rs` describes.
"""

import asyncio
import gc
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request

ROUNDS = 9
VARIABLES = {"customer": "Ann", "order": "17", "date": "25 November", "sender": "Ben", "team": "Support"}
HERE = pathlib.Path(__file__).resolve().parent

registry = subprocess.Popen([sys.executable, HERE / "registry.py"], stdout=subprocess.PIPE, text=True)
BASE = f"http://127.0.0.1:{registry.stdout.readline().strip()}"
os.environ.update(
    LANGFUSE_PUBLIC_KEY="pk",
    LANGFUSE_SECRET_KEY="sk",
    LANGFUSE_HOST=BASE,
    LANGFUSE_TRACING_ENABLED="false",
)

import aiohttp  # noqa: E402
import httpx  # noqa: E402
from langfuse import Langfuse  # noqa: E402

import promptops  # noqa: E402


def ask(path):
    with urllib.request.urlopen(BASE + path) as answer:
        return answer.read()


def spread(values):
    return f"{min(values)} {statistics.median(values)} {max(values)}"


def row(what, peer, theirs, ours, most, unit):
    """One row: rounds of both, and their ratios round by round."""
    ratios = [mine / other for mine, other in zip(ours, theirs)]
    figures = "\t".join(spread(values) for values in (theirs, ours, ratios))
    print(f"row\t{what}\t{peer}\t{unit}\t{figures}\tat most {most}", flush=True)


def fact(what, peer, measured, promised, met):
    verdict = "met" if met else "missed"
    print(f"fact\t{what}\t{peer}\t{measured}\t{promised}\t{verdict}", flush=True)


async def empty():
    pass


async def empties(times):
    """Nanoseconds of awaiting a coroutine that does nothing."""
    began = time.perf_counter_ns()
    for _ in range(times):
        await empty()
    return (time.perf_counter_ns() - began) / times


async def gets(get, times):
    """Nanoseconds of awaiting a prompt."""
    began = time.perf_counter_ns()
    for _ in range(times):
        await get("greeting")
    return (time.perf_counter_ns() - began) / times


async def awaited(make, times):
    """Nanoseconds of one await."""
    began = time.perf_counter_ns()
    for _ in range(times):
        await make()
    return (time.perf_counter_ns() - began) / times


def called(call, times):
    """Nanoseconds of one call."""
    began = time.perf_counter_ns()
    for _ in range(times):
        call()
    return (time.perf_counter_ns() - began) / times


async def median_of(call, times):
    """Microseconds of one call, the median of many, one after the other."""
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        await call()
        took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1e3


async def cached(client, langfuse):
    get = client.get_prompt
    await get("greeting")
    langfuse.get_prompt("greeting")
    ours, nothing, theirs = [], [], []
    for _ in range(ROUNDS):
        nothing.append(await empties(200_000))
        ours.append(await gets(get, 100_000))
        theirs.append(called(lambda: langfuse.get_prompt("greeting"), 10_000))
    row("cached get, awaited", "an empty coroutine, awaited", nothing, ours, 1.5, "ns")
    row("cached get, awaited", "langfuse 5.0.4, cached get_prompt", theirs, ours, 0.1, "ns")
    prompt = langfuse.get_prompt("greeting")
    render = client.render_prompt
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(called(lambda: prompt.compile(**VARIABLES), 5_000))
        ours.append(await awaited(lambda: render("greeting", VARIABLES), 5_000))
    row("get and render, 5 variables, cached", "langfuse, compile", theirs, ours, 0.1, "ns")


async def uncached(client, langfuse):
    url = f"{BASE}/v1/client/prompts/greeting"

    async def ours():
        await client.get_prompt("greeting", use_cache=False)

    async def theirs():
        langfuse.get_prompt("greeting", cache_ttl_seconds=0)

    took = {name: [] for name in ["ours", "langfuse", "httpx", "aiohttp"]}
    async with httpx.AsyncClient() as with_httpx, aiohttp.ClientSession() as with_aiohttp:

        async def by_httpx():
            (await with_httpx.get(url)).json()

        async def by_aiohttp():
            async with with_aiohttp.get(url) as answer:
                await answer.json()

        for _ in range(ROUNDS):
            took["ours"].append(await median_of(ours, 500))
            took["langfuse"].append(await median_of(theirs, 60))
            took["httpx"].append(await median_of(by_httpx, 200))
            took["aiohttp"].append(await median_of(by_aiohttp, 500))
    for peer, most in [("langfuse", 0.1), ("httpx", 0.25), ("aiohttp", 1.0)]:
        what = {"langfuse": "langfuse, ttl 0", "httpx": "httpx, async", "aiohttp": "aiohttp"}[peer]
        row("uncached get, p50", what, took[peer], took["ours"], most, "µs")


async def herd():
    ask("/count")
    async with promptops.PromptOpsClient(base_url=f"{BASE}/v1") as client:
        await asyncio.gather(*(client.get_prompt("greeting") for _ in range(50)))
    requests = int(ask("/count"))
    fact("50 tasks, one cold key", "requests sent", str(requests), "1", requests == 1)


async def failing():
    ask("/fail")
    ask("/count")
    client = promptops.PromptOpsClient(base_url=f"{BASE}/v1", timeout=5.0)
    began = time.perf_counter()
    try:
        await client.get_prompt("greeting")
    except promptops.ServerError:
        pass
    took = time.perf_counter() - began
    requests = int(ask("/count"))
    ask("/fail")
    measured = f"{took:.2f} s, {requests} requests"
    promised = "inside the deadline of 5 s, at most 3 requests"
    fact("500 from the server, cold", "until the caller knows", measured, promised, took < 5 and requests <= 3)


IMPORT = """
import time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
before = resident()
began = time.perf_counter()
import {}
print((time.perf_counter() - began) * 1e3, resident() - before)
"""


def imported(package):
    program = [sys.executable, "-c", IMPORT.format(package)]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    return float(told[0]), float(told[1])


def imports():
    ours, theirs, memory = [], [], []
    for _ in range(ROUNDS):
        took, others = imported("langfuse")
        theirs.append(took)
        took, more = imported("promptops")
        ours.append(took)
        memory.append(more)
    row("import", "import langfuse", theirs, ours, 0.1, "ms")
    megabytes = statistics.median(memory)
    fact("import, memory", f"langfuse {others:.0f} MB", f"{megabytes:.1f} MB", "at most 10 MB", megabytes <= 10)


async def main():
    gc.disable()
    telemetry = promptops.TelemetryConfig(enabled=False)
    langfuse = Langfuse()
    async with promptops.PromptOpsClient(base_url=f"{BASE}/v1", telemetry=telemetry) as client:
        await cached(client, langfuse)
        await uncached(client, langfuse)
    await herd()
    await failing()


try:
    imports()
    asyncio.run(main())
finally:
    registry.terminate()
