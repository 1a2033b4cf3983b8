"""What is asked of an Arrow type in more than one place."""

import pyarrow as pa

__all__ = ["is_text", "without_dictionary"]


def without_dictionary(kind: pa.DataType) -> pa.DataType:
    """The type of a dictionary's values; any other type as it is."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """True of strings in any layout, and of dictionaries of them."""
    plain = without_dictionary(kind)
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain))
