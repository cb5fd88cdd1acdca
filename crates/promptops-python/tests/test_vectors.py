"""The conformance vectors of templates, through the package: the same bytes as everywhere else."""

import json

import pytest
from conftest import ROOT

import promptops
from promptops import blocking


def cases(name):
    vectors = json.loads((ROOT / f"tests/vectors/{name}.json").read_text(encoding="utf-8"))
    return vectors["cases"]


@pytest.fixture(scope="module")
def client():
    with blocking.PromptOpsClient(base_url="sqlite::memory:", cache={"level": "none"}) as client:
        yield client


@pytest.mark.parametrize("template_format", ["simple", "none", "jinja"])
def test_templates(client, template_format):
    checked = 0
    for case in cases(template_format):
        if not case["template"] or case["expect"].get("error") == "syntax":
            continue
        slug = f"{template_format}/{case['name']}"
        client.create_prompt(
            {
                "name": slug,
                "slug": slug,
                "content": case["template"],
                "template_format": template_format,
            }
        )
        if "output" in case["expect"]:
            rendered = client.render_prompt(slug, case["variables"])
            assert rendered.rendered_content == case["expect"]["output"], case["name"]
            if "used" in case:
                assert rendered.variables_used == case["used"], case["name"]
        else:
            with pytest.raises(promptops.ValidationError):
                client.render_prompt(slug, case["variables"])
        checked += 1
    assert checked > 5


def test_whole_prompts(client):
    checked = 0
    for case in cases("prompts"):
        prompt = {"name": case["name"], "slug": case["name"], **case["prompt"]}
        if prompt.get("messages"):
            # A prompt is plain or a chat; the vectors have what an older registry might hold.
            prompt.pop("content", None)
        client.create_prompt({k: v for k, v in prompt.items() if v is not None})
        model = case.get("model") or {}
        arguments = {"model_provider": model.get("provider"), "model_name": model.get("name")}
        if "error" in case["expect"]:
            with pytest.raises(promptops.ValidationError):
                client.render_prompt(case["name"], case["variables"], **arguments)
        else:
            rendered = client.render_prompt(case["name"], case["variables"], **arguments)
            for name, value in case["expect"].items():
                if name in rendered:
                    assert rendered[name] == value, (case["name"], name)
        checked += 1
    assert checked > 20
