"""Celery tasks that render prompts: `celery -A celery_worker worker`.

The client is made before Celery forks its workers; each makes its own connections. The registry is that of
PROMPTOPS_BASE_URL, or a file with a prompt to try.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from celery import Celery  # type: ignore[import-untyped]

from promptops.blocking import PromptOpsClient

url = os.environ.get("PROMPTOPS_BASE_URL")
client = PromptOpsClient(base_url=url or f"sqlite:{tempfile.mkdtemp()}/prompts.db")
if url is None:
    client.create_prompt({"name": "Greeting", "content": "Hello {{ name }}!"})

app = Celery(
    "prompts",
    broker=os.environ.get("CELERY_BROKER_URL", "memory://"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "cache+memory://"),
)


@app.task  # type: ignore[untyped-decorator]
def render(prompt_id: str, variables: dict[str, Any]) -> str:
    return client.render_prompt(prompt_id, variables).rendered_content
