"""What can go wrong, one class for each thing a caller might do about it.

Every exception carries ``error_code``, ``message``, ``details`` and ``retryable``, and beside the
document's fields ``request_id``, ``status`` and ``attempts``.
"""

from __future__ import annotations

import builtins as _builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "CacheError",
    "ConfigError",
    "ConflictError",
    "DecodeError",
    "NetworkError",
    "NotFoundError",
    "PromptNotFoundError",
    "PromptOpsError",
    "RateLimitError",
    "ServerError",
    "TelemetryError",
    "TimeoutError",
    "ValidationError",
]


class PromptOpsError(Exception):
    """Base exception for all PromptOps errors."""

    error_code: str
    message: str
    details: dict[str, Any]
    retryable: bool
    request_id: str | None
    status: int | None
    attempts: int

    def __init__(
        self,
        message: str = "",
        *,
        error_code: str = "",
        details: dict[str, Any] | None = None,
        retryable: bool = False,
        request_id: str | None = None,
        status: int | None = None,
        attempts: int = 0,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code
        self.details = {} if details is None else details
        self.retryable = retryable
        self.request_id = request_id
        self.status = status
        self.attempts = attempts
        for name, value in fields.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        text = self.__dict__.get("_text")
        if text is not None:
            return str(text)
        notes = [self.error_code] if self.error_code else []
        if self.request_id:
            notes.append(f"request {self.request_id}")
        if self.attempts > 1:
            notes.append(f"{self.attempts} attempts")
        return f"{self.message} [{', '.join(notes)}]" if notes else self.message

    def __reduce__(self) -> Any:
        return _restored, (type(self), self.args, self.__dict__.copy())


def _restored(cls: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> PromptOpsError:
    """An exception that was pickled."""
    error: PromptOpsError = cls.__new__(cls, *args)
    # Those that derive from OSError too leave it to the initialiser.
    error.args = args
    error.__dict__.update(fields)
    return error


class AuthenticationError(PromptOpsError):
    """Authentication failed: credentials are missing, wrong or expired."""


class AuthorizationError(PromptOpsError):
    """Insufficient permissions: the key is valid but may not do this."""


class PromptNotFoundError(PromptOpsError, LookupError):
    """No such prompt, or no such version of it."""

    prompt_id: str
    suggested_prompts: list[str]


class ValidationError(PromptOpsError, ValueError):
    """The request, or the variables of a render, are wrong. Every fault is listed."""

    validation_errors: list[dict[str, Any]]


class NetworkError(PromptOpsError, ConnectionError):
    """The registry could not be reached; ``original_error`` says why."""

    original_error: Exception


class TimeoutError(PromptOpsError, _builtins.TimeoutError):
    """The call's deadline of ``timeout_duration`` seconds passed, retries included."""

    timeout_duration: float


class RateLimitError(PromptOpsError):
    """Too many requests; wait ``retry_after`` seconds."""

    retry_after: int


class ServerError(PromptOpsError):
    """A fault on the registry's side."""

    status_code: int


class CacheError(PromptOpsError):
    """A cache operation that the caller asked for failed."""

    cache_type: str


class TelemetryError(PromptOpsError):
    """A telemetry operation that the caller asked for failed."""


class ConflictError(PromptOpsError):
    """The write conflicts with what is there: a taken slug, a frozen version."""


class NotFoundError(PromptOpsError, LookupError):
    """Something other than a prompt is not there."""


class ConfigError(PromptOpsError, ValueError):
    """The client's configuration is wrong."""


class DecodeError(PromptOpsError):
    """The registry's answer is not what the contract says."""
