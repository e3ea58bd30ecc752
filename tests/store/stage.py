"""A stage on which transactions of PostgreSQL take their steps in every order that there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from types import ModuleType
from typing import Any

import psycopg
import pytest

from tallystick.store.database import Connection

Step = tuple[ModuleType, str]
"""A function of the store, looked up in its module by whoever calls it."""

Work = Callable[[Callable[[], None]], object]
"""What an actor does; it calls what it is given when only its commit is left."""


class Actor:
    """A thread that stands before each of its steps until it is told to go on."""

    current = threading.local()

    def __init__(self, name: str, work: Work, steps: Sequence[Step]) -> None:
        self.name = name
        self.steps = frozenset(steps)
        self.error: BaseException | None = None
        self.backend = 0
        self.ended = False
        self._work = work
        self._turn = threading.Semaphore(0)
        self._standing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        Actor.current.actor = self
        try:
            self._work(self.stand)
        except BaseException as error:  # noqa: BLE001 - the test that waits for this thread raises it
            self.error = error
        finally:
            self.ended = True
            self._standing.set()

    def stand(self) -> None:
        """Called on the thread: wait for a turn."""
        self._standing.set()
        assert self._turn.acquire(timeout=60)

    def stands(self, seconds: float) -> bool:
        """Whether the thread stands before a step or has ended."""
        return self._standing.wait(seconds)

    def go_on(self) -> None:
        """Give the thread a turn."""
        self._standing.clear()
        self._turn.release()


class Stage:
    """Plays a scene again and again until its actors have taken their steps in every order that there is.

    Whoever waits for a lock of another's cannot be chosen until it has it. So an order is left out only where the
    database itself rules it out.
    """

    def __init__(self, database: str, steps: Collection[Step], monkeypatch: pytest.MonkeyPatch) -> None:
        self._watcher = psycopg.connect(database, autocommit=True)
        for module, name in steps:
            monkeypatch.setattr(module, name, _stopping((module, name), getattr(module, name)))

    def close(self) -> None:
        self._watcher.close()

    def orders(self, scene: Callable[[], Sequence[Actor]]) -> Iterator[Sequence[str]]:
        """Plays every order; `scene` gives new actors each time. Yields the order after it has been played."""
        ahead: list[list[int]] = [[]]
        while ahead:
            chosen = ahead.pop()
            decided = len(chosen)
            actors = scene()
            choices = self._play(actors, chosen)
            yield [actors[number].name for number in chosen]
            for place in range(decided, len(chosen)):
                ahead += [[*chosen[:place], other] for other in choices[place] if other != chosen[place]]

    def _play(self, actors: Sequence[Actor], chosen: list[int]) -> list[list[int]]:
        """Plays to the end: first the choices given, then always the first actor. Gives what could be chosen."""
        choices: list[list[int]] = []
        while ready := self._ready(actors):
            choices.append(ready)
            place = len(choices) - 1
            if place == len(chosen):
                chosen.append(ready[0])
            elif chosen[place] not in ready:
                # Who asks for a lock again and again may come a step earlier or later than last time.
                chosen[place:] = [ready[0]]
            actors[chosen[place]].go_on()
        for actor in actors:
            if actor.error is not None:
                raise actor.error
        return choices

    def _ready(self, actors: Sequence[Actor]) -> list[int]:
        """Who stands before a step, once everybody stands, waits for a lock or has ended."""
        while True:
            # Those who stand stay where they are, so that whoever waits for one of them keeps waiting.
            moving = [actor for actor in actors if not actor.stands(0.002)]
            standing = [number for number, actor in enumerate(actors) if actor not in moving and not actor.ended]
            # Where all wait in a circle, the database ends that after a second by failing one of them, and the test.
            if (standing or not moving) and all(self._waits(actor) for actor in moving):
                return standing

    def _waits(self, actor: Actor) -> bool:
        row = self._watcher.execute("SELECT pg_blocking_pids(%s) <> '{}'", [actor.backend]).fetchone()
        assert row is not None
        return bool(row[0])


def _stopping(step: Step, function: Callable[..., Any]) -> Callable[..., Any]:
    def stop_first(connection: Connection, *arguments: Any, **named: Any) -> Any:
        actor: Actor | None = getattr(Actor.current, "actor", None)
        if actor is not None and step in actor.steps:
            driver: Any = connection.connection.driver_connection
            actor.backend = driver.info.backend_pid
            actor.stand()
        return function(connection, *arguments, **named)

    return stop_first
