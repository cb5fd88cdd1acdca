"""How a client is set. Durations are seconds; a secret is never shown."""

from __future__ import annotations

from ._enums import CacheLevel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, ClassVar

_SECRETS = ("api_key", "secret_key", "redis_url")


class _Config:
    """Settings that are read and changed as attributes."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """The settings as a dict, those that are None left out."""
        fields: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, _Config):
                value = value.to_dict()
            elif isinstance(value, CacheLevel):
                value = value.value
            fields[name] = value
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Any:
        """Settings from what `to_dict` gives."""
        return cls(**fields)

    def keys(self) -> list[str]:
        """The names of the settings."""
        return list(self.__slots__)

    def __getitem__(self, name: str) -> Any:
        if name in self.__slots__:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__slots__)

    def __len__(self) -> int:
        return len(self.__slots__)

    def __contains__(self, name: object) -> bool:
        return name in self.__slots__

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        def shown(name: str) -> str:
            value = getattr(self, name)
            return "'[redacted]'" if value is not None and name in _SECRETS else repr(value)

        fields = ", ".join(f"{name}={shown(name)}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> Any:
        return _made, (type(self), {name: getattr(self, name) for name in self.__slots__})


def _made(cls: Any, fields: dict[str, Any]) -> Any:
    """Settings that were pickled."""
    return cls(**fields)


def _of(cls: Any, value: Any) -> Any:
    """A group of settings, given as such or as a dict."""
    if value is None:
        return cls()
    return cls(**value) if isinstance(value, dict) else value


class CacheConfig(_Config):
    """What is cached, where and how long."""

    __slots__ = (
        "level",
        "ttl",
        "max_size",
        "max_bytes",
        "stale_while_revalidate",
        "stale_if_error",
        "negative_ttl",
        "redis_url",
        "redis_prefix",
    )

    def __init__(
        self,
        level: CacheLevel | str = CacheLevel.MEMORY,
        ttl: float = 300.0,
        max_size: int = 1000,
        max_bytes: int = 64 * 1024 * 1024,
        stale_while_revalidate: float = 60.0,
        stale_if_error: float = 86400.0,
        negative_ttl: float = 5.0,
        redis_url: str | None = None,
        redis_prefix: str = "promptops:",
    ) -> None:
        self.level = CacheLevel(level)
        self.ttl = ttl
        self.max_size = max_size
        self.max_bytes = max_bytes
        self.stale_while_revalidate = stale_while_revalidate
        self.stale_if_error = stale_if_error
        self.negative_ttl = negative_ttl
        self.redis_url = redis_url
        self.redis_prefix = redis_prefix


class RetryConfig(_Config):
    """How failed requests are retried."""

    __slots__ = (
        "max_attempts",
        "base_delay",
        "throttle_delay",
        "max_delay",
        "attempt_timeout",
        "budget",
    )

    def __init__(
        self,
        max_attempts: int = 3,
        base_delay: float = 0.05,
        throttle_delay: float = 1.0,
        max_delay: float = 20.0,
        attempt_timeout: float | None = None,
        budget: int = 500,
    ) -> None:
        self.max_attempts = max_attempts
        self.base_delay = base_delay
        self.throttle_delay = throttle_delay
        self.max_delay = max_delay
        self.attempt_timeout = attempt_timeout
        self.budget = budget


class TelemetryConfig(_Config):
    """What the client reports about its calls."""

    __slots__ = (
        "enabled",
        "sample_rate",
        "batch_size",
        "queue_size",
        "flush_interval",
        "endpoint",
    )

    def __init__(
        self,
        enabled: bool = True,
        sample_rate: float = 0.1,
        batch_size: int = 100,
        queue_size: int = 2048,
        flush_interval: float = 30.0,
        endpoint: str | None = None,
    ) -> None:
        self.enabled = enabled
        self.sample_rate = sample_rate
        self.batch_size = batch_size
        self.queue_size = queue_size
        self.flush_interval = flush_interval
        self.endpoint = endpoint


class ClientConfig(_Config):
    """Everything a client can be told."""

    __slots__ = (
        "base_url",
        "api_key",
        "secret_key",
        "project",
        "timeout",
        "cache",
        "retry",
        "telemetry",
    )

    def __init__(
        self,
        base_url: str = "https://api.promptops.com/v1",
        api_key: str | None = None,
        secret_key: str | None = None,
        project: str | None = None,
        timeout: float = 30.0,
        cache: CacheConfig | dict[str, Any] | None = None,
        retry: RetryConfig | dict[str, Any] | None = None,
        telemetry: TelemetryConfig | dict[str, Any] | None = None,
    ) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.secret_key = secret_key
        self.project = project
        self.timeout = timeout
        self.cache: CacheConfig = _of(CacheConfig, cache)
        self.retry: RetryConfig = _of(RetryConfig, retry)
        self.telemetry: TelemetryConfig = _of(TelemetryConfig, telemetry)
