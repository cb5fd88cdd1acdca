"""The examples: each runs, and checks under mypy at its strictest and under pyright."""

import ast
import asyncio
import importlib
import inspect
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

EXAMPLES = ROOT / "examples/python"


@pytest.fixture(autouse=True)
def example_path(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_the_script():
    script = [sys.executable, str(EXAMPLES / "asyncio_script.py")]
    ended = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == (
        "Dear Ann, your order 17 is on its way.\n['order-status']\n4 calls, 75% succeeded\n"
    )


def test_fastapi():
    from fastapi.testclient import TestClient

    application = importlib.import_module("fastapi_app")
    with TestClient(application.app) as client:
        answer = client.get("/prompts/greeting?name=Ann")
        assert answer.json() == {"messages": [{"role": "user", "content": "Hello Ann!"}]}
        assert client.get("/prompts/greeting").status_code == 422
        assert client.get("/prompts/gone").status_code == 404
        assert client.get("/health").json()["status"] == "healthy"


def test_flask():
    client = importlib.import_module("flask_app").app.test_client()
    assert client.get("/prompts/greeting?name=Ann").json["messages"][0]["content"] == "Hello Ann!"
    assert client.get("/prompts/greeting").status_code == 422
    assert client.get("/prompts/gone").status_code == 404


def test_celery(tmp_path):
    """The worker that Celery starts itself: it imports the client, and then forks."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "results").mkdir()
    settings = f"""
from celery_worker import app, render
app.conf.broker_transport_options = {{"data_folder_in": "{tmp_path}/queue", "data_folder_out": "{tmp_path}/queue"}}
"""
    (tmp_path / "worker_here.py").write_text(settings, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{EXAMPLES}{os.pathsep}{tmp_path}",
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_RESULT_BACKEND": f"file://{tmp_path}/results",
    }
    command = [sys.executable, "-m", "celery", "-A", "worker_here", "worker", "--pool=prefork", "--concurrency=2"]
    with open(tmp_path / "log", "w+", encoding="utf-8") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path)
        try:
            send = """
from worker_here import render
sent = [render.delay("greeting", {"name": f"Ann {number}"}) for number in range(20)]
for number, result in enumerate(sent):
    assert result.get(timeout=60) == f"Hello Ann {number}!"
"""
            sender = subprocess.run(
                [sys.executable, "-c", send], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
            )
            log.flush()
            assert sender.returncode == 0, sender.stderr + (tmp_path / "log").read_text(encoding="utf-8")
        finally:
            worker.terminate()
            worker.wait(30)
    assert worker.returncode == 0, (tmp_path / "log").read_text(encoding="utf-8")


def test_the_notebook():
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    namespace = {}

    async def main():
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                continue
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile("".join(cell["source"]), "notebook.ipynb", "exec", flags=flags)
            awaitable = eval(code, namespace)
            if inspect.isawaitable(awaitable):
                await awaitable

    asyncio.run(main())
    assert namespace["rendered"].rendered_content == "Hello Ann!"


SNIPPET = '''
import asyncio
from typing import List

from promptops import (
    CacheConfig, CacheLevel, ClientConfig, ModelProvider, PromptNotFoundError, PromptOpsClient,
    PromptResponse, PromptVariables, RateLimitError, TelemetryConfig, blocking,
)


async def main() -> None:
    async with PromptOpsClient(api_key="your-api-key", cache=CacheConfig(level=CacheLevel.MEMORY, ttl=300, max_size=1000)) as client:
        prompt: PromptResponse = await client.get_prompt("customer-service-greeting", "v1.2.0")
        variables = PromptVariables({"customer_name": "John Doe"})
        rendered = await client.render_prompt(
            prompt_id="customer-response", variables=variables,
            model_provider=ModelProvider.OPENAI, model_name="gpt-4",
        )
        content: str = rendered.rendered_content
        prompts: List[PromptResponse] = await client.list_prompts(sort_by="name", sort_order="asc")
        fits: bool = await client.get_model_compatibility("a", ModelProvider.ANTHROPIC, "claude")
        client.update_config({"timeout": 60.0, "telemetry": TelemetryConfig(enabled=False)})
        config: ClientConfig = client.get_config()
        health = await client.health_check()
        print(prompt.created_at.year, content, prompts, fits, config.timeout, health.errors)
        try:
            await asyncio.create_task(client.get_prompt("my-prompt"))
        except PromptNotFoundError as error:
            print(error.suggested_prompts)
        except RateLimitError as error:
            await asyncio.sleep(error.retry_after)


def without_asyncio() -> str:
    with blocking.PromptOpsClient("key") as client:
        return client.get_prompt("a").content
'''


@pytest.fixture
def checked(tmp_path):
    """The files that are checked."""
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET, encoding="utf-8")
    return [str(snippet), *map(str, sorted(EXAMPLES.glob("*.py")))]


def test_mypy_at_its_strictest(checked, tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    ended = subprocess.run([*command, *checked], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout


def test_mypy_of_the_package_itself(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    ended = subprocess.run([*command, "-p", "promptops"], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout


def test_pyright(checked, tmp_path):
    settings = {"typeCheckingMode": "standard", "include": checked, "pythonVersion": "3.10"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", sys.executable]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout


def test_the_stubs_name_what_there_is():
    """Every class, method and parameter of the stubs is in the module, and the other way about."""
    import promptops._promptops as module

    stubs = ast.parse((ROOT / "crates/promptops-python/python/promptops/_promptops.pyi").read_text())
    classes = {node.name: node for node in stubs.body if isinstance(node, ast.ClassDef)}
    for name, node in classes.items():
        if name == "_Data":
            continue
        cls = getattr(module, name)
        own = {member.name: member for member in node.body if not isinstance(member, ast.Expr)}
        there = {member for member in vars(cls) if not member.startswith("_")}
        shared = {member.name for member in classes["_Data"].body if hasattr(member, "name")}
        assert there - shared - set(own) == set(), name
        for member, stub in own.items():
            if isinstance(stub, (ast.FunctionDef, ast.AsyncFunctionDef)) and not stub.decorator_list:
                target = cls if member == "__init__" else getattr(cls, member)
                if member.startswith("__") and member != "__init__":
                    continue
                parameters = list(inspect.signature(target).parameters)
                arguments = stub.args
                named = [a.arg for a in arguments.args + arguments.kwonlyargs]
                strip = [p for p in parameters if p != "self"]
                assert strip == [a for a in named if a != "self"], f"{name}.{member}"
