"""langfuse's cached get and compile of 1 KB, for the benchmark of the Rust client: that one measures, says
`go`, and is told how many nanoseconds one takes here. First comes a line of JSON with what is rendered.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

TIMES = 2_000
VARIABLES = {"customer": "Ann", "order": "17", "date": "25 November", "sender": "Ben", "team": "Support"}
HERE = pathlib.Path(__file__).resolve().parent

registry = subprocess.Popen([sys.executable, HERE / "registry.py", "19"], stdout=subprocess.PIPE, text=True)
os.environ.update(
    LANGFUSE_PUBLIC_KEY="pk",
    LANGFUSE_SECRET_KEY="sk",
    LANGFUSE_HOST=f"http://127.0.0.1:{registry.stdout.readline().strip()}",
    LANGFUSE_TRACING_ENABLED="false",
)

from langfuse import Langfuse  # noqa: E402

try:
    langfuse = Langfuse()
    prompt = langfuse.get_prompt("greeting")
    same = {"content": prompt.prompt, "variables": VARIABLES, "rendered": prompt.compile(**VARIABLES)}
    print(json.dumps(same), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter_ns()
        for _ in range(TIMES):
            langfuse.get_prompt("greeting").compile(**VARIABLES)
        print((time.perf_counter_ns() - began) / TIMES, flush=True)
finally:
    registry.terminate()
