"""The client for code without asyncio: the same methods, and each returns its result."""

from ._promptops import BlockingPromptOpsClient as PromptOpsClient

__all__ = ["PromptOpsClient"]
