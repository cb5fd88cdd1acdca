"""The PromptOps client: fetch, render and manage versioned prompts.

>>> import asyncio
>>> from promptops import PromptOpsClient
>>> async def main():
...     async with PromptOpsClient(base_url="sqlite::memory:") as client:
...         await client.create_prompt({"name": "Greeting", "content": "Hello {{ name }}!"})
...         rendered = await client.render_prompt("greeting", {"name": "Ann"})
...         return rendered.rendered_content
>>> asyncio.run(main())
'Hello Ann!'
"""

from . import exceptions
from ._config import CacheConfig, ClientConfig, RetryConfig, TelemetryConfig
from ._enums import CacheLevel, ModelProvider
from ._promptops import (
    CacheStats,
    ClientStats,
    HealthStatus,
    ModelInfo,
    ModelSpecificPrompt,
    PromptOpsClient,
    PromptResponse,
    PromptVariables,
    RenderResponse,
    TelemetrySummary,
    __version__,
)
from .exceptions import (
    AuthenticationError,
    AuthorizationError,
    CacheError,
    ConfigError,
    ConflictError,
    DecodeError,
    NetworkError,
    NotFoundError,
    PromptNotFoundError,
    PromptOpsError,
    RateLimitError,
    ServerError,
    TelemetryError,
    TimeoutError,
    ValidationError,
)

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "CacheConfig",
    "CacheError",
    "CacheLevel",
    "CacheStats",
    "ClientConfig",
    "ClientStats",
    "ConfigError",
    "ConflictError",
    "DecodeError",
    "HealthStatus",
    "ModelInfo",
    "ModelProvider",
    "ModelSpecificPrompt",
    "NetworkError",
    "NotFoundError",
    "PromptNotFoundError",
    "PromptOpsClient",
    "PromptOpsError",
    "PromptResponse",
    "PromptVariables",
    "RateLimitError",
    "RenderResponse",
    "RetryConfig",
    "ServerError",
    "TelemetryConfig",
    "TelemetryError",
    "TelemetrySummary",
    "TimeoutError",
    "ValidationError",
    "__version__",
    "exceptions",
]
