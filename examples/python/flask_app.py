"""A Flask application that serves rendered prompts: `flask --app flask_app run`.

One client for all workers: one that is forked makes itself anew. The registry is that of
PROMPTOPS_BASE_URL, or a file with a prompt to try.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from promptops import PromptNotFoundError, ValidationError
from promptops.blocking import PromptOpsClient

url = os.environ.get("PROMPTOPS_BASE_URL")
client = PromptOpsClient(base_url=url or f"sqlite:{tempfile.mkdtemp()}/prompts.db")
if url is None:
    client.create_prompt({"name": "Greeting", "content": "Hello {{ name }}!"})

app = Flask(__name__)


@app.get("/prompts/<prompt_id>")
def render(prompt_id: str) -> ResponseReturnValue:
    variables: dict[str, Any] = dict(request.args)
    try:
        rendered = client.render_prompt(prompt_id, variables)
    except PromptNotFoundError as error:
        return jsonify(error=str(error)), 404
    except ValidationError as error:
        return jsonify(error=error.validation_errors), 422
    return jsonify(rendered.to_openai())
