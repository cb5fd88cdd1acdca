"""What calls give: attributes, mappings, and what other packages make of them."""

import asyncio
import copy
import json
import pickle
from unittest import mock

import pydantic
import pytest
from hypothesis import given, settings, strategies
from rich.console import Console

import promptops
from promptops import blocking

SCALARS = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers(-(2**63), 2**64 - 1)
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(strategies.characters(exclude_categories=["Cs"]))
)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(
        strategies.text(strategies.characters(exclude_categories=["Cs"])), inner, max_size=4
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def client():
    with blocking.PromptOpsClient(base_url="sqlite::memory:") as client:
        client.create_prompt({"name": "Value", "content": "{{ value }}"})
        yield client


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_any_json_goes_through_metadata_and_comes_back(value):
    fields = {"id": "i", "slug": "s", "version": "1.0.0", "metadata": {"value": value}}
    prompt = promptops.PromptResponse.from_dict(fields)
    assert prompt.metadata == {"value": value}
    assert promptops.PromptResponse.from_dict(prompt.to_dict()) == prompt
    assert pickle.loads(pickle.dumps(prompt)) == prompt


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_any_json_renders_as_the_vectors_say(client, value):
    rendered = client.render_prompt("value", {"value": value}).rendered_content
    if isinstance(value, str):
        assert rendered == value
    elif value is None:
        assert rendered == ""
    else:
        assert json.loads(rendered) == value


def test_values_are_attributes_and_mappings(filled):
    with blocking.PromptOpsClient(**filled) as client:
        prompt = client.get_prompt("greeting")
    assert prompt["name"] == prompt.name and "name" in prompt and "colour" not in prompt
    assert dict(prompt)["tags"] == ["support"] and len(prompt) == len(prompt.keys())
    with pytest.raises(KeyError):
        prompt["colour"]
    with pytest.raises(AttributeError):
        prompt.name = "other"
    assert copy.deepcopy(prompt) == prompt and pickle.loads(pickle.dumps(prompt)) == prompt
    assert repr(prompt).startswith("PromptResponse(id='")
    assert json.dumps(prompt.to_dict(), default=str)
    assert prompt.to_dict()["model_specific_prompts"][0]["content"] == "Hi {{ name }}!"


def test_variables():
    variables = promptops.PromptVariables(variables={"a": 1})
    variables.add_variable("b", [2])
    assert variables.get_variable("b") == [2] and variables.get_variable("c") is None
    assert variables.has_variable("a") and not variables.has_variable("c")
    assert variables.to_dict() == {"a": 1, "b": [2]} == dict(variables)
    assert pickle.loads(pickle.dumps(variables)) == variables


def test_values_compare_with_what_compares_itself(filled):
    with blocking.PromptOpsClient(**filled) as client:
        prompt = client.get_prompt("greeting")
    variables = promptops.PromptVariables({"name": "Ann"})
    for value in [prompt, variables]:
        assert value == mock.ANY and mock.ANY == value
        assert value != "text" and not value == None  # noqa: E711
    assert variables == promptops.PromptVariables({"name": "Ann"})
    assert variables != promptops.PromptVariables({"name": "Ben"})


def test_enumerations_are_enums():
    import enum

    assert issubclass(promptops.ModelProvider, enum.Enum)
    assert issubclass(promptops.CacheLevel, enum.Enum)
    assert promptops.ModelProvider("openai") is promptops.ModelProvider.OPENAI
    assert [level.value for level in promptops.CacheLevel] == ["none", "memory", "redis", "hybrid"]


def test_configurations_compare_pickle_and_hide_secrets():
    config = promptops.ClientConfig(api_key="po_secret", cache={"ttl": 60})
    assert pickle.loads(pickle.dumps(config)) == config and config.cache.ttl == 60
    assert "po_secret" not in repr(config)
    assert promptops.CacheConfig() == promptops.CacheConfig() != config


def test_pydantic_takes_and_writes_them(filled):
    class Answer(pydantic.BaseModel):
        prompt: promptops.PromptResponse

    with blocking.PromptOpsClient(**filled) as client:
        prompt = client.get_prompt("greeting")
    answer = Answer(prompt=prompt)
    assert Answer.model_validate({"prompt": prompt.to_dict()}) == answer
    assert answer.model_dump()["prompt"]["slug"] == "greeting"
    with pytest.raises(pydantic.ValidationError):
        Answer(prompt=7)


def test_rich_shows_them(filled):
    with blocking.PromptOpsClient(**filled) as client:
        console = Console(width=60, record=True, file=open("/dev/null", "w"))
        console.print(client.get_prompt("greeting"))
        assert "slug='greeting'" in console.export_text()


def test_the_openai_package_takes_a_render_as_it_is():
    import http.server
    import threading

    import openai

    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            message = {"role": "assistant", "content": "Hi!"}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
            body = json.dumps({**answer, "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model = openai.OpenAI(api_key="k", base_url=f"http://127.0.0.1:{server.server_port}/v1")
    with blocking.PromptOpsClient(base_url="sqlite::memory:") as client:
        client.create_prompt(
            {
                "name": "Chat",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Greet {{ name }}."},
                ],
            }
        )
        rendered = client.render_prompt("chat", {"name": "Ann"})
    answer = model.chat.completions.create(model="gpt-4", **rendered.to_openai())
    server.shutdown()
    assert answer.choices[0].message.content == "Hi!"
    assert seen[0]["messages"] == rendered.to_openai()["messages"]


def test_renders_go_to_providers(filled):
    async def main():
        async with promptops.PromptOpsClient(**filled) as client:
            return await client.render_prompt("greeting", {"name": "Ann"})

    rendered = asyncio.run(main())
    messages = [{"role": "user", "content": "Hello Ann!"}]
    assert rendered.to_openai() == {"messages": messages} == rendered.to_anthropic()
    assert rendered.to_gemini() == {"contents": [{"role": "user", "parts": [{"text": "Hello Ann!"}]}]}
    assert rendered.to_cohere() == {"messages": messages}
    assert rendered.estimated_tokens() > 0
