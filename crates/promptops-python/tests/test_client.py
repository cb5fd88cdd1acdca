"""Every method of the document, with its parameters, against both kinds of registry."""

import asyncio
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

import promptops
from promptops import (
    CacheConfig,
    CacheLevel,
    ClientConfig,
    ModelProvider,
    PromptOpsClient,
    PromptVariables,
    TelemetryConfig,
    blocking,
)


def run(settings, work):
    """Does the same with asyncio and without."""

    async def main():
        async with PromptOpsClient(**settings) as client:
            return await work(client)

    return asyncio.run(main())


def test_get_prompt(filled):
    async def work(client):
        await client.update_prompt("greeting", {"content": "Dear {{ name }}"})
        assert (await client.get_prompt("greeting")).version == "1.1.0"
        assert (await client.get_prompt("greeting", "v1.0.0")).version == "1.0.0"
        prompt = await client.get_prompt("greeting", "1.0.0", False, None)
        assert prompt.content == "Hello {{ name }}!"
        with pytest.raises(promptops.PromptNotFoundError):
            await client.get_prompt("greeting", project_id="elsewhere")

    run(filled, work)


def test_prompt_response(filled):
    async def work(client):
        return await client.get_prompt("greeting")

    prompt = run(filled, work)
    assert len(prompt.id) == 36
    assert (prompt.name, prompt.description) == ("Greeting", "Greets a customer")
    assert prompt.variables == ["name"] and prompt.target_models == ["openai"]
    assert prompt.model_specific_prompts[0].content == "Hi {{ name }}!"
    assert prompt.created_at.tzinfo is timezone.utc
    assert timedelta(0) <= datetime.now(timezone.utc) - prompt.created_at < timedelta(minutes=5)
    assert prompt.tags == ["support"] and prompt.metadata == {"owner": "ann"}


def test_render_prompt(filled):
    async def work(client):
        variables = PromptVariables({"name": "Ann"})
        rendered = await client.render_prompt("greeting", variables)
        assert rendered.rendered_content == "Hello Ann!"
        assert rendered.messages == [{"role": "user", "content": "Hello Ann!"}]
        assert rendered.variables_used == ["name"] and rendered.processing_time_ms >= 0
        again = await client.render_prompt(
            prompt_id="greeting",
            variables={"name": "Ann"},
            version="1.0.0",
            model_provider=ModelProvider.OPENAI,
            model_name="gpt-4",
            use_cache=False,
        )
        assert again.rendered_content == "Hi Ann!" and not again.cache_hit
        assert (await client.render_prompt("greeting", {"name": "Ann"})).cache_hit
        with pytest.raises(promptops.ValidationError) as missing:
            await client.render_prompt("greeting", {"nmae": "Ann"})
        assert missing.value.validation_errors[0]["field"] == "name"
        with pytest.raises(promptops.ValidationError):
            await client.render_prompt("greeting", {"name": "Ann", "more": 1}, strict=True)

    run(filled, work)


def test_list_prompts(filled):
    async def work(client):
        for name in ["Beta", "Alpha"]:
            await client.create_prompt({"name": name, "content": "text"})
        names = [prompt.name for prompt in await client.list_prompts()]
        assert names == ["Alpha", "Beta", "Greeting"]
        by_name = await client.list_prompts(sort_by="name", sort_order="asc", skip=1, limit=1)
        assert [prompt.name for prompt in by_name] == ["Beta"]
        module = await client.list_prompts("desk", 0, 50)
        assert [prompt.slug for prompt in module] == ["greeting"]
        assert await client.list_prompts(tags=["none"]) == []
        with pytest.raises(promptops.ValidationError):
            await client.list_prompts(sort_by="colour")

    run(filled, work)


def test_update_delete_and_validate(filled):
    async def work(client):
        new = await client.update_prompt("greeting", {"description": "Greets anybody"})
        assert (new.version, new.description) == ("1.1.0", "Greets anybody")
        edited = await client.update_prompt("greeting", {"tags": ["x"]}, version="1.1.0")
        assert edited.version == "1.1.0" and edited.tags == ["x"]
        assert await client.validate_prompt("greeting", "1.1.0") is True
        assert await client.validate_prompt("greeting", "9.9.9") is False
        assert await client.delete_prompt("greeting", "1.0.0") is True
        assert await client.delete_prompt("greeting") is True
        assert await client.validate_prompt("greeting") is False

    run(filled, work)


def test_models(filled):
    async def work(client):
        fits = client.get_model_compatibility
        assert await fits("greeting", ModelProvider.OPENAI, "gpt-4") is True
        assert await fits("greeting", "anthropic", "claude-3-sonnet") is False
        google = await client.list_models(ModelProvider.GOOGLE)
        assert google and all(model.provider == "google" for model in google)
        assert len(await client.list_models(use_cache=False)) > len(google)

    run(filled, work)


def test_statistics_and_cache(filled):
    async def work(client):
        for _ in range(4):
            await client.get_prompt("greeting")
        stats = client.get_stats()
        assert stats.total_requests == stats.successful_requests == 4
        assert stats["cache_hits"] == 3 and stats.success_rate == 1.0
        assert stats.last_request_time.tzinfo is timezone.utc
        cache = client.get_cache_stats()
        assert (cache.hits, cache.misses, cache.size, cache.hit_rate) == (3, 1, 1, 0.75)
        await client.clear_cache("greeting", "1.0.0")
        assert client.get_cache_stats().size == 0
        await client.get_prompt("greeting")
        await client.clear_cache("greeting")
        await client.clear_cache()
        with pytest.raises(promptops.ValidationError):
            await client.clear_cache(version="1.0.0")

    run(filled, work)


def test_telemetry(filled):
    async def work(client):
        for _ in range(5):
            await client.get_prompt("greeting")
        summary = client.get_telemetry_summary()
        assert (summary.pending_events, summary.batch_size) == (5, 50)
        assert summary.enabled and summary.sample_rate == 1.0
        await client.flush_telemetry()
        assert client.get_telemetry_summary().pending_events == 0
        client.disable_telemetry()
        assert not client.get_telemetry_summary().enabled
        client.enable_telemetry()
        assert client.get_telemetry_summary().sample_rate == 0.1
        for wrong in [1.5, -0.1, float("nan")]:
            with pytest.raises(ValueError):
                client.enable_telemetry(wrong)

    telemetry = TelemetryConfig(sample_rate=1.0, batch_size=50)
    run({**filled, "telemetry": telemetry}, work)


def test_configuration(filled):
    async def work(client):
        client.update_config(
            {
                "timeout": 60.0,
                "cache": CacheConfig(level=CacheLevel.NONE),
                "telemetry": TelemetryConfig(enabled=False),
            }
        )
        config = client.get_config()
        assert config.timeout == 60.0 and config.cache.level is CacheLevel.NONE
        assert config.telemetry.enabled is False
        config.timeout = 5
        client.update_config(config)
        assert client.get_config() == config
        for wrong, name in [
            ({"timeout": 0}, "timeout"),
            ({"timeuot": 1}, "timeuot"),
            ({"cache": {"level": "disk"}}, "level"),
            ({"api_key": "po_other"}, "api_key"),
        ]:
            with pytest.raises(promptops.ConfigError, match=name):
                client.update_config(wrong)

    run(filled, work)


def test_health(filled):
    async def work(client):
        return await client.health_check()

    health = run(filled, work)
    assert health.status == "healthy" and health.errors == []
    assert set(health.dependencies) == {"api", "cache", "telemetry"}


@pytest.mark.parametrize(
    "given",
    [
        lambda config: {"config": ClientConfig(**config)},
        lambda config: {"config": config},
        lambda config: config,
    ],
)
def test_a_config_is_an_object_a_dict_or_arguments(filled, given):
    with blocking.PromptOpsClient(**given(filled)) as client:
        assert client.get_prompt("greeting").slug == "greeting"
        assert client.get_config().base_url == filled["base_url"]


def test_importing_it_imports_little():
    """What an application does not use it does not wait for."""
    program = """
import sys
before = set(sys.modules)
import promptops
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""
    # Isolated, and without the sites' own imports.
    told = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    imported = set(told.stdout.split())
    assert "promptops" in imported
    light = {"__future__", "collections", "enum", "functools", "itertools", "keyword", "operator", "reprlib", "types"}
    assert {name for name in imported if not name.startswith("_")} <= light | {"promptops"}


@pytest.mark.parametrize("parent", [PromptOpsClient, blocking.PromptOpsClient])
def test_a_subclass_has_its_own_initialiser(parent, tmp_path):
    class Desk(parent):
        def __init__(self, folder, *, desk):
            super().__init__(base_url=f"sqlite:{folder}/prompts.db")
            self.desk = desk

    client = Desk(tmp_path, desk="support")
    assert client.desk == "support"
    assert client.get_config().base_url == f"sqlite:{tmp_path}/prompts.db"
    with pytest.raises(RuntimeError, match="initialised once"):
        client.__init__(tmp_path, desk="again")

    class Forgetful(parent):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"super\(\).__init__"):
        Forgetful().get_stats()


def test_a_fallback_is_a_prompt_or_its_fields(filled):
    with blocking.PromptOpsClient(**filled) as client:
        prompt = client.get_prompt("greeting")
    gone = {"base_url": "http://127.0.0.1:1/v1", "timeout": 0.5}
    with blocking.PromptOpsClient(**gone) as client:
        for fallback in [prompt, prompt.to_dict()]:
            assert client.get_prompt("greeting", fallback=fallback) == prompt
        with pytest.raises(promptops.ValidationError, match="fallback"):
            client.get_prompt("greeting", fallback={"id": 1})


def test_a_config_may_be_a_key():
    config = PromptOpsClient("po_key").get_config()
    assert (config.api_key, config.base_url) == ("po_key", "https://api.promptops.com/v1")
    assert "po_key" not in repr(config)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"base_url": "nowhere"}, "base_url"),
        ({"timeout": -1.0}, "timeout"),
        ({"cache": CacheConfig(level=CacheLevel.REDIS)}, "cache.redis_url"),
        ({"telemetry": {"sample_rate": 3}}, "telemetry.sample_rate"),
        ({"config": {"colour": "red"}}, "colour"),
    ],
)
def test_a_wrong_setting_is_named(arguments, name):
    with pytest.raises(promptops.ConfigError, match=name):
        PromptOpsClient(**arguments)


def test_without_asyncio(filled):
    with blocking.PromptOpsClient(**filled) as client:
        assert client.get_prompt("greeting").content == "Hello {{ name }}!"
        assert client.render_prompt("greeting", {"name": "Ann"}).rendered_content == "Hello Ann!"
        assert [prompt.slug for prompt in client.list_prompts()] == ["greeting"]
        assert client.health_check().status == "healthy"
        client.clear_cache()
        client.flush_telemetry()
        assert client.get_prompt("gone", fallback={"content": "Hello"}).content == "Hello"
