"""A cache of bytes, bounded by their sum: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What has a length in bytes."""

    def __len__(self) -> int:
        """Return the length."""


V = TypeVar("V", bound=Sized)


class Cache(Generic[V]):
    """Values by key.

    >>> cache = Cache[bytes](5)
    >>> cache.put("a", b"123"), cache.put("b", b"456"), cache.get("a"), cache.get("b")
    (None, None, None, b'456')
    """

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self.items: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return a value, or None."""
        value = self.items.get(key)
        if value is not None:
            self.items.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value, unless it alone is larger than the room."""
        if key in self.items or len(value) > self.most:
            return
        self.items[key] = value
        self.size += len(value)
        while self.size > self.most:
            _, gone = self.items.popitem(last=False)
            self.size -= len(gone)

    def clear(self) -> None:
        """Forget everything."""
        self.items.clear()
        self.size = 0
