"""What pydantic asks of our classes."""


from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def schema(cls: Any) -> Any:
    """A value of the class as it is, or one made of a mapping; serialised as a dict."""
    from pydantic_core import core_schema

    def validated(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls.from_dict(value)
        raise ValueError(f"a {cls.__name__} or a mapping is expected")

    return core_schema.no_info_plain_validator_function(
        validated,
        serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.to_dict()),
    )
