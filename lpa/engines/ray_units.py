"""Handing out units to the workers of a Ray cluster, and hearing from them.

One loop waits for whatever comes first: a worker that is ready, a unit that is done, a worker's
news (what it did, what it asks of the run's store), or the end of a worker.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from lpa.engines.crew import Crew
from lpa.engines.ray_cluster import Node, nodes
from lpa.engines.ray_worker import Assignment, RayWorker
from lpa.engines.sent_store import answered
from lpa.errors import InputError

__all__ = ["DEATHS", "LOSSES", "Handing", "Limits"]

U = TypeVar("U")
R = TypeVar("R")

DEATHS = 3
"""A unit at which so many workers died is recorded as failed and given up."""

LOSSES = 6
"""Likewise with workers that were lost with their machines, which is rarely the unit's fault."""

REFUSALS = 2
"""Workers that say of one unit that input cannot be used: then it is not the machine."""

NEWS_SECONDS = 1.0
"""For which a worker waits before it says that there is no news."""

LOOK_SECONDS = 5.0
"""Between looks at which machines there are."""


@dataclass(frozen=True)
class Limits:
    """How long is waited, in seconds.

    Attributes
    ----------
    unit : float or None
        For a unit; None: for ever.
    ending : float
        For units under way when the run is stopped.
    machine : float
        For another machine where all are lost, or hold too little.
    """

    unit: float | None = None
    ending: float = 300.0
    machine: float = 120.0


class Shared(Protocol):
    """See :class:`lpa.engines.on_ray.Share`."""

    @property
    def workers(self) -> int: ...
    @property
    def cpus(self) -> float: ...
    @property
    def gpus(self) -> float: ...


@dataclass(eq=False)
class _Entry(Generic[U]):
    """A unit, and what has happened to it."""

    unit: U
    deaths: int = 0
    losses: int = 0
    refusals: int = 0


@dataclass(eq=False)
class _Hand(Generic[U]):
    """A worker, as the driver sees it."""

    actor: Any
    node: Node
    ready: bool = False
    entry: _Entry[U] | None = None
    following: _Entry[U] | None = None
    began: float = 0.0
    ticks: int = 0
    ticks_before: int = 0


class Handing(Generic[U, R]):
    """The units of a run, handed out.

    Parameters
    ----------
    units : sequence
    crew : Crew
    stop : threading.Event
    parcel : ObjectRef
        Of what makes a worker.
    token : (str, bytes)
        Name and content of an object in the run's store.
    device : str
    share : callable
        Machine -> what each of its workers has of it.
    limits : Limits
    """

    def __init__(
        self,
        units: Sequence[U],
        crew: Crew[U, R],
        stop: threading.Event,
        *,
        parcel: Any,
        token: tuple[str, bytes],
        device: str,
        share: Callable[[Node], Shared],
        limits: Limits,
    ) -> None:
        self.queue = deque(_Entry(unit) for unit in units)
        self.crew, self.stop, self.limits = crew, stop, limits
        self.parcel, self.token, self.device, self.share = parcel, token, device, share
        self.hands: list[_Hand[U]] = []
        self.waiting: dict[Any, tuple[_Hand[U], str]] = {}
        self.nodes: dict[str, Node] = {}
        self.looked = self.stopped = self.alone = 0.0
        self.told = False

    def results(self) -> Iterator[R]:
        """Yield summaries until everything is done, or those under way are when it is stopped.

        Raises
        ------
        InputError
            Where no machine can do the work.
        """
        import ray

        began = time.monotonic()
        try:
            while self._left():
                if self.stop.is_set():
                    self._tell_to_stop()
                    if not self._busy() or self._overdue():
                        return
                else:
                    self._staff()
                    self._say_waiting(began)
                if self.waiting:
                    ready, _ = ray.wait(list(self.waiting), num_returns=1, timeout=NEWS_SECONDS)
                else:
                    self.stop.wait(NEWS_SECONDS)
                    ready = []
                for reference in ready:
                    yield from self._heard(reference)
                yield from self._end_those_that_hang()
        finally:
            for hand in list(self.hands):
                self._dismiss(hand)

    def _left(self) -> bool:
        return bool(self.queue) or self._busy()

    def _busy(self) -> bool:
        return any(hand.entry is not None for hand in self.hands)

    # ---- workers -------------------------------------------------------------------------

    def _staff(self) -> None:
        """Make workers where there is room, on each machine one before any gets a second."""
        now = time.monotonic()
        if self.looked and now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        self._look()
        there = {node.id: self.share(node) for node in self.nodes.values() if not node.refused}
        count = {key: sum(hand.node.id == key for hand in self.hands) for key in there}
        wanted = len(self.queue) + sum(hand.entry is not None for hand in self.hands)
        while len(self.hands) < wanted:
            free = [key for key, share in there.items() if count[key] < share.workers]
            if not free:
                break
            key = min(free, key=count.__getitem__)
            count[key] += 1
            self._make(self.nodes[key], there[key])
        self._check_someone(any(share.workers for share in there.values()))

    def _look(self) -> None:
        """Find out which machines there are; what is known of one is kept."""
        self.nodes = {node.id: self.nodes.get(node.id, node) for node in nodes()}

    def _make(self, node: Node, share: Shared) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # Its work, its news, an answer and the word to stop go on side by side.
        actor = (
            ray.remote(RayWorker)
            .options(
                max_concurrency=4,
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote()
        )
        assignment = Assignment(
            self.crew.store.location,
            self.token,
            str(Path.cwd()),
            tuple(sys.path),
            self.device,
            max(1, int(share.cpus)),
        )
        hand: _Hand[U] = _Hand(actor, node)
        self.hands.append(hand)
        self._expect(hand, "made", hand.actor.make.remote(self.parcel, assignment))
        self._expect(hand, "news", hand.actor.news.remote(NEWS_SECONDS))

    def _expect(self, hand: _Hand[U], what: str, reference: Any) -> None:
        self.waiting[reference] = (hand, what)

    def _dismiss(self, hand: _Hand[U]) -> None:
        """End a worker's process and expect nothing of it any more."""
        import ray

        self.hands.remove(hand)
        self.waiting = {
            reference: entry for reference, entry in self.waiting.items() if entry[0] is not hand
        }
        ray.kill(hand.actor)

    def _check_someone(self, room: bool) -> None:
        """Refuse to wait for ever where no machine takes work."""
        if self.hands:
            self.alone = 0.0
            return
        refused = [node for node in self.nodes.values() if node.refused]
        if refused and not room:
            raise InputError(
                f"no machine of the cluster can do the work: {refused[-1].name}: "
                f"{refused[-1].refused}"
            )
        now = time.monotonic()
        if not self.alone:
            self.alone = now
            self.crew.note(
                f"no machine of the cluster has room for a worker; waiting for one for "
                f"{self.limits.machine:.0f} s"
            )
        elif now - self.alone > self.limits.machine:
            raise InputError(
                f"the Ray cluster has no machine with room for a worker ({self._described()}); "
                "what was finished is kept: start machines, or ask for less with --worker-cpus, "
                "and run the same command again"
            )

    def _described(self) -> str:
        return (
            ", ".join(f"{n.name}: {n.cpus:g} CPUs, {n.gpus:g} GPUs" for n in self.nodes.values())
            or "none is left"
        )

    def _say_waiting(self, began: float) -> None:
        if self.told or any(hand.ready for hand in self.hands):
            self.told = True
        elif time.monotonic() - began > 60:
            self.told = True
            self.crew.note(
                f"{len(self.hands)} workers asked for, none is ready after a minute: they load, or "
                "wait for processors or GPUs that others use"
            )

    # ---- hearing -------------------------------------------------------------------------

    def _heard(self, reference: Any) -> Iterator[R]:
        import ray

        if reference not in self.waiting:
            return  # Of a worker that was dismissed meanwhile.
        hand, what = self.waiting.pop(reference)
        try:
            message = ray.get(reference)
        except ray.exceptions.RayError as error:
            # Where a machine is lost, workers do not answer before the cluster knows why.
            silent = isinstance(error, ray.exceptions.ActorUnavailableError)
            yield from self._lost(hand, _cause(error), silent)
            return
        if what == "news":
            self._news(hand, *message)
        elif what == "made":
            self._made(hand, *message)
        else:
            yield from self._done(hand, *message)

    def _news(self, hand: _Hand[U], ticks: int, requests: Sequence[Any]) -> None:
        self._count(hand, ticks)
        for number, method, arguments in requests:
            answer = answered(self.crew.store, method, arguments)
            hand.actor.answer.remote(number, answer)
        self._expect(hand, "news", hand.actor.news.remote(NEWS_SECONDS))

    def _count(self, hand: _Hand[U], ticks: int) -> None:
        if ticks > hand.ticks:
            self.crew.tick(ticks - hand.ticks)
            hand.ticks = ticks

    def _made(self, hand: _Hand[U], outcome: str, reason: str) -> None:
        if outcome == "failed":
            self._refuse(hand, reason)
            return
        hand.ready = True
        self._hand_out(hand)

    def _done(self, hand: _Hand[U], outcome: str, value: Any, ticks: int) -> Iterator[R]:
        entry = hand.entry
        assert entry is not None
        self._count(hand, ticks)
        hand.entry = None
        if outcome == "done":
            # Before the summary goes up, so that the worker does not wait for what is done with it.
            self._hand_out(hand)
            yield self.crew.named(value, hand.node.name)
            return
        if outcome == "broken":
            raise RuntimeError(f"{hand.node.name}: {value}")
        entry.refusals += 1
        if entry.refusals >= REFUSALS or len(self.hands) == 1:
            raise InputError(value)
        self._again(entry)
        self._refuse(hand, value)

    def _hand_out(self, hand: _Hand[U]) -> None:
        """Give a worker its next unit, and say which one it can read ahead."""
        if hand.node.refused:
            self._give_up(hand)
            return
        entry = hand.following or self._take()
        hand.following = None
        if entry is None or self.stop.is_set():
            if entry is not None:
                self.queue.appendleft(entry)
            return
        # Each worker shall have its share of the last ones.
        hand.following = self._take() if len(self.queue) >= len(self.hands) else None
        hand.entry, hand.began, hand.ticks_before = entry, time.monotonic(), hand.ticks
        ahead = None if hand.following is None else hand.following.unit
        self._expect(hand, "done", hand.actor.work.remote(entry.unit, ahead))

    def _take(self) -> _Entry[U] | None:
        return self.queue.popleft() if self.queue else None

    # ---- what goes wrong -----------------------------------------------------------------

    def _refuse(self, hand: _Hand[U], reason: str) -> None:
        """Give a machine no work any more; its other workers end their units."""
        node = hand.node
        if not node.refused:
            node.refused = reason
            self.crew.note(f"{node.name} gets no work: {reason}")
        self._give_up(hand)
        for other in [other for other in self.hands if other.node is node]:
            if other.entry is None:
                self._give_up(other)
        self.looked = 0.0

    def _give_up(self, hand: _Hand[U]) -> None:
        """Dismiss a worker; what it was to do next is done by others."""
        if hand.following is not None:
            self.queue.appendleft(hand.following)
            hand.following = None
        self._dismiss(hand)

    def _lost(self, hand: _Hand[U], reason: str, silent: bool = False) -> Iterator[R]:
        """Give a lost worker's unit to another one, unless it is the unit that ends workers."""
        entry, was_ready = hand.entry, hand.ready
        if entry is not None and hand.ticks > hand.ticks_before:
            self.crew.tick(hand.ticks_before - hand.ticks)
        self._give_up(hand)
        self._look()
        self.looked = 0.0
        node = self.nodes.get(hand.node.id)
        if node is None or silent:
            self.crew.note(f"lost a worker with {hand.node.name}; its work is done elsewhere")
        elif not was_ready:
            node.deaths += 1
            if node.deaths >= DEATHS:
                node.refused = f"{node.deaths} workers died before they were ready, last: {reason}"
                self.crew.note(f"{node.name} gets no work: {node.refused}")
        if entry is None:
            return
        if node is None or silent:
            entry.losses += 1
        else:
            entry.deaths += 1
            self.crew.note(f"a worker on {node.name} is replaced: {reason}")
        if entry.deaths >= DEATHS or entry.losses >= LOSSES:
            yield self.crew.lost(
                entry.unit,
                f"{entry.deaths + entry.losses} workers were lost at it, the last on "
                f"{hand.node.name}: {reason}",
            )
            return
        self._again(entry)

    def _again(self, entry: _Entry[U]) -> None:
        """Put what is left of a unit in front of the others."""
        left = self.crew.unfinished(entry.unit)
        if left is not None:
            entry.unit = left
            self.queue.appendleft(entry)
        for hand in list(self.hands):
            if hand.ready and hand.entry is None:
                self._hand_out(hand)

    def _end_those_that_hang(self) -> Iterator[R]:
        limit = self.limits.unit
        if limit is None or self.stop.is_set():
            return
        now = time.monotonic()
        for hand in [hand for hand in self.hands if hand.entry is not None]:
            if now - hand.began > limit:
                yield from self._lost(hand, f"it took longer than --unit-time {limit:g} s")

    # ---- stopping ------------------------------------------------------------------------

    def _tell_to_stop(self) -> None:
        """Let every unit under way end soon; workers that have none end at once."""
        if self.stopped:
            return
        self.stopped = time.monotonic()
        for hand in list(self.hands):
            if hand.entry is None:
                self._give_up(hand)
            else:
                hand.actor.stop.remote()

    def _overdue(self) -> bool:
        if time.monotonic() - self.stopped < self.limits.ending:
            return False
        busy = [hand for hand in self.hands if hand.entry is not None]
        self.crew.note(
            f"{len(busy)} workers did not stop in {self.limits.ending:.0f} s and are ended: "
            + ", ".join(sorted({hand.node.name for hand in busy}))
        )
        return True


def _cause(error: Exception) -> str:
    """Return in one line why a worker is gone, as far as Ray tells."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if "running low on memory" in line:
            return "the machine ran low on memory, and Ray ended it"
        if line.split(":")[0].endswith("Error"):
            return line[:300]
    return "its process died"
