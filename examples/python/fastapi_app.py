"""A FastAPI application that serves rendered prompts: `fastapi run fastapi_app.py`.

The registry is that of PROMPTOPS_BASE_URL, or one in memory with a prompt to try.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from promptops import PromptNotFoundError, PromptOpsClient, ValidationError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("PROMPTOPS_BASE_URL", "sqlite::memory:")
    async with PromptOpsClient(base_url=url) as client:
        if url == "sqlite::memory:":
            await client.create_prompt({"name": "Greeting", "content": "Hello {{ name }}!"})
        app.state.prompts = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/prompts/{prompt_id}")
async def render(prompt_id: str, request: Request) -> dict[str, Any]:
    client: PromptOpsClient = request.app.state.prompts
    try:
        rendered = await client.render_prompt(prompt_id, dict(request.query_params))
    except PromptNotFoundError as error:
        raise HTTPException(404, str(error)) from error
    except ValidationError as error:
        raise HTTPException(422, error.validation_errors) from error
    return rendered.to_openai()


@app.get("/health")
async def health(request: Request) -> dict[str, Any]:
    client: PromptOpsClient = request.app.state.prompts
    return (await client.health_check()).to_dict()
