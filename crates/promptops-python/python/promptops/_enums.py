"""The document's enumerations."""

from enum import Enum


class ModelProvider(Enum):
    """Who serves a model."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    COHERE = "cohere"
    HUGGINGFACE = "huggingface"
    LOCAL = "local"


class CacheLevel(Enum):
    """Where prompts are cached."""

    NONE = "none"
    MEMORY = "memory"
    REDIS = "redis"
    HYBRID = "hybrid"
