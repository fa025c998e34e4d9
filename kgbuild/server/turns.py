"""Whose turn it is: a bounded queue that serves clients in rotation, with a second lane for queries that take long.

A query starts in the short lane. When it has run for a moment it moves to the long lane, if there is a place, so that
quick queries do not wait behind slow ones. One client may hold all places but one, and a quarter of the queue. While
all queries end at once there are more places: a worker is then given its next queries before it has answered.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque


class BusyError(Exception):
    """There is no place, and why."""


class Turn:
    """A place to run, until it is released."""

    def __init__(self, turns: Turns, client: str) -> None:
        self.turns, self.client, self.long = turns, client, False

    def lengthen(self) -> None:
        """Move to the long lane, if there is a place there."""
        if not self.long and self.turns.running_long < self.turns.long:
            self.long = True
            self.turns.running_short -= 1
            self.turns.running_long += 1
            self.turns.grant()

    def release(self) -> None:
        """Give the place up."""
        if self.long:
            self.turns.running_long -= 1
        else:
            self.turns.running_short -= 1
        held = self.turns.held.pop(self.client) - 1
        if held:
            self.turns.held[self.client] = held
        self.turns.grant()


class Turns:
    """Places to run, and the queue for them."""

    def __init__(self, short: int, long: int, queue: int) -> None:
        self.short, self.long, self.queue = short, long, queue
        self.riding = self.slow = 0
        self.each_waiting = max(1, queue // 4)
        self.running_short = self.running_long = 0
        self.held: dict[str, int] = {}
        self.waiting: OrderedDict[str, deque[asyncio.Future[Turn]]] = OrderedDict()

    @property
    def room(self) -> int:
        """Return how many places the short lane has now: `riding` are there while none is or was just `slow`."""
        return self.short if self.slow else self.short + self.riding

    def _each(self, room: int) -> int:
        """Return how many places one client may hold."""
        return max(1, room + self.long - 1)

    def calm(self) -> None:
        """Note that it is a while since a slow query ended."""
        self.slow -= 1
        self.grant()

    def is_many(self, client: str) -> bool:
        """Tell whether a client holds so many places that it may have no further worker, but queries ahead alone."""
        return self.held.get(client, 0) > max(1, self.short + self.long - 1)

    @property
    def depth(self) -> int:
        """Return how many wait."""
        return sum(map(len, self.waiting.values()))

    async def take(self, client: str, patience: float = 60.0) -> Turn:
        """Wait for a place; raise `BusyError` where the queue, or the client's share of it, is full, or none is free.

        `patience` is how many seconds to wait.
        """
        room = self.room
        if not self.waiting and self.running_short < room and self.held.get(client, 0) < self._each(room):
            return self._start(client)
        line = self.waiting.setdefault(client, deque())
        if len(line) >= self.each_waiting or self.depth >= self.queue:
            self._drop_empty(client)
            raise BusyError("too many queries wait; try again in a moment")
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        line.append(future)
        self.grant()
        timer = asyncio.get_running_loop().call_later(patience, self._late, client, future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().release()
            self._leave(client, future)
            raise
        finally:
            timer.cancel()

    def _late(self, client: str, future: asyncio.Future[Turn]) -> None:
        if not future.done():
            self._leave(client, future)
            future.set_exception(BusyError("no worker was free in time; try again in a moment"))

    def _leave(self, client: str, future: asyncio.Future[Turn]) -> None:
        if future in self.waiting.get(client, ()):
            self.waiting[client].remove(future)
            self._drop_empty(client)

    def grant(self) -> None:
        """Give free places to those who wait, one client after the other."""
        while self.waiting and self.running_short < (room := self.room):
            for client in self.waiting:
                if self.held.get(client, 0) < self._each(room):
                    break
            else:
                return
            future = self.waiting[client].popleft()
            self.waiting.move_to_end(client)
            self._drop_empty(client)
            if future.cancelled():
                continue
            future.set_result(self._start(client))

    def _start(self, client: str) -> Turn:
        self.running_short += 1
        self.held[client] = self.held.get(client, 0) + 1
        return Turn(self, client)

    def _drop_empty(self, client: str) -> None:
        if client in self.waiting and not self.waiting[client]:
            del self.waiting[client]
