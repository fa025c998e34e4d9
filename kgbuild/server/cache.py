"""A cache bounded by the bytes it keeps: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Values by key, up to so many bytes.

    >>> cache = Cache[str](5)
    >>> cache.put("a", "tea", 3), cache.put("b", "oat", 3), cache.get("a"), cache.get("b")
    (None, None, None, 'oat')
    """

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self.items: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return a value, or None."""
        item = self.items.get(key)
        if item is None:
            return None
        self.items.move_to_end(key)
        return item[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value that takes `size` bytes, unless it alone takes more than there is room for."""
        if key in self.items or size > self.most:
            return
        self.items[key] = value, size
        self.size += size
        while self.size > self.most:
            _, (_, gone) = self.items.popitem(last=False)
            self.size -= gone

    def clear(self) -> None:
        """Forget everything."""
        self.items.clear()
        self.size = 0
