"""The examples of the reference, run; and those of the user's document, with its signatures compared."""

import ast
import asyncio
import inspect
import logging
import re
import textwrap

import pytest
from conftest import ROOT

import promptops
from promptops import blocking, exceptions

REFERENCE = ROOT / "docs/src/python/reference.md"
DOCUMENT = ROOT.parent / "shared/spec/python-client-api.md"


def blocks(path):
    """The fenced blocks of Python, with the line they begin at."""
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"```python\n(.*?)```", text, re.S):
        yield text[: found.start()].count("\n") + 2, found[1]


def parsed(block):
    """The block as statements; of what only declares, the bodies are filled in."""
    try:
        return ast.parse(block)
    except SyntaxError:
        filled = re.sub(r"\)( -> [^:\n]+)?$", r")\1: ...", textwrap.dedent(block), flags=re.M)
        return ast.parse(filled)


def declares(tree):
    return all(isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) for node in tree.body)


def execute(block, namespace, place):
    """Runs a block that may await; what it assigns stays."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile("\n" * (place[1] - 1) + block, place[0], "exec", flags=flags)
    result = eval(code, namespace)
    return result


async def run_all(path, namespace, skip=lambda block: False, change=lambda block: block):
    ran = 0
    for line, block in blocks(path):
        if declares(parsed(block)) or skip(block):
            continue
        ran += 1
        awaitable = execute(change(block), namespace, (str(path), line))
        if inspect.isawaitable(awaitable):
            await awaitable
    return ran


ORDER = {"name": "Order status", "content": "Dear {{ customer }}, order {{ order }} is on its way."}


def test_the_reference_s_examples_run(settings):
    async def main():
        async with promptops.PromptOpsClient(**settings) as client:
            await client.create_prompt(ORDER)
            await client.update_prompt("order-status", {"description": "Tells where an order is"})
            namespace = {name: getattr(promptops, name) for name in promptops.__all__}

            # Each block has the client of the tests, whatever the one before it made.
            def skip(block):
                namespace["client"] = client
                return False

            return await run_all(REFERENCE, namespace, skip)

    assert asyncio.run(main()) >= 13


@pytest.fixture
def document():
    if not DOCUMENT.is_file():
        pytest.skip("the user's document is not beside the project")
    return DOCUMENT


PROMPTS = [
    ("my-prompt", "Hello"),
    ("customer-service-greeting", "Hello {{ customer_name }}!"),
    ("dynamic-prompt", "Now"),
    ("customer-response", "Dear {{ customer_name }}, about {{ issue_type }} ({{ priority }})."),
    ("complex-prompt", "Think about {{ it }}."),
]


def test_the_document_s_examples_run(document, settings, monkeypatch):
    if settings["base_url"].startswith("http"):
        monkeypatch.setenv("PROMPTOPS_API_KEY", settings["api_key"])
        monkeypatch.setenv("PROMPTOPS_PROJECT", settings["project"])
    monkeypatch.setenv("PROMPTOPS_BASE_URL", settings["base_url"])
    with blocking.PromptOpsClient(**settings) as client:
        for slug, content in PROMPTS:
            client.create_prompt({"name": slug, "slug": slug, "content": content})
        greeting = {"content": "Hi {{ customer_name }}!"}
        client.update_prompt("customer-service-greeting", greeting, bump="minor")
        client.update_prompt("customer-service-greeting", {"content": "Hey {{ customer_name }}!"})

    async def nothing():
        return None

    async def main():
        client = promptops.PromptOpsClient(**settings)
        namespace = {name: getattr(promptops, name) for name in promptops.__all__}
        namespace.update(
            client=client,
            asyncio=asyncio,
            logger=logging.getLogger("document"),
            get_fallback_prompt=nothing,
            refresh_api_key=nothing,
        )
        key = settings.get("api_key", "po_any")

        def change(block):
            namespace["client"] = client
            block = block.replace('"your-api-key"', repr(key)).replace('api_key="key"', f"api_key={key!r}")
            return block

        return await run_all(document, namespace, change=change)

    assert asyncio.run(main()) >= 15


def test_the_document_s_signatures_are_ours(document):
    """Each method and class of it, with its parameters in their order and their defaults."""
    compared = 0
    for _, block in blocks(document):
        tree = parsed(block)
        if not declares(tree):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                compared += the_class(node)
            else:
                for cls in [promptops.PromptOpsClient, blocking.PromptOpsClient]:
                    compared += the_function(getattr(cls, node.name), node)
    assert compared > 60


def test_the_parity_chapter_names_what_there_is():
    """The Python names of its tables."""
    chapter = (ROOT / "docs/src/parity.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in chapter.splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    for cells in rows:
        reference, names = cells[0].strip(" `"), cells[2].strip(" `")
        for name in names.split(", "):
            found = promptops
            for part in name.removeprefix("promptops.").split("."):
                if hasattr(found, part):
                    found = getattr(found, part)
                else:
                    annotations = [c.__dict__.get("__annotations__", {}) for c in found.__mro__]
                    slots = getattr(found, "__slots__", ())
                    assert any(part in a for a in annotations) or part in slots, (reference, name)
        if "(" in reference:
            parameter = reference[reference.index("(") + 1 : -1]
            assert parameter in inspect.signature(found).parameters, reference


def the_function(ours, node):
    signature = inspect.signature(ours)
    mine = [p for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    mine = [p for p in mine if p.name != "self"]
    theirs = [argument.arg for argument in node.args.args if argument.arg != "self"]
    assert [p.name for p in mine] == theirs, node.name
    defaults = [ast.literal_eval(default) for default in node.args.defaults]
    without = len(theirs) - len(defaults)
    assert all(p.default is p.empty for p in mine[:without]), node.name
    assert [p.default for p in mine[without:]] == defaults, node.name
    return 1


def the_class(node):
    module = exceptions if node.name.endswith("Error") else promptops
    cls = getattr(module, node.name)
    compared = 1
    for base in node.bases:
        name = ast.unparse(base)
        assert name in {parent.__name__ for parent in cls.__mro__}, node.name
    for member in node.body:
        compared += 1
        if isinstance(member, ast.AnnAssign):
            name = member.target.id
            is_there = hasattr(cls, name) or any(name in c.__dict__.get("__annotations__", {}) for c in cls.__mro__)
            assert is_there, f"{node.name}.{name}"
        elif isinstance(member, ast.Assign):
            assert cls[member.targets[0].id].value == ast.literal_eval(member.value)
        elif isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
            the_function(cls if member.name == "__init__" else getattr(cls, member.name), member)
    return compared
