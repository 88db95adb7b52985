"""Which commit every wanted revision is at: polled in the background, answered from memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rollouts.clock import Clock, Randomness
from rollouts.gitops.source.address import PROTOCOLS, canonical, protocol
from rollouts.gitops.source.credentials import NO_CREDENTIALS, Credentials
from rollouts.gitops.source.errors import SourceError
from rollouts.gitops.source.mirror import NETWORK_SECONDS, Mirror
from rollouts.gitops.source.process import Git
from rollouts.gitops.source.revisions import resolve
from rollouts.gitops.source.tree import Tree

_log = logging.getLogger(__name__)

RETRY_SECONDS = (1.0, 60.0)
"""First and longest wait after a failed poll; never longer than the poll interval."""

Changed = Callable[[Iterable[Hashable]], None]
"""Called with those who want a revision whose answer has changed."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a revision. Nothing: it is being fetched. With an error, a tree is an old one."""

    tree: Tree | None = None
    error: SourceError | None = None
    poll: int = 0
    """How many polls of the repository have ended."""


@dataclass(slots=True)
class _Repository:
    mirror: Mirror
    wanted: dict[str, set[Hashable]] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    askers: dict[Hashable, int] = field(default_factory=dict)
    polls: int = 0
    busy: bool = False
    failures: int = 0
    task: asyncio.Task[None] | None = None


class Repositories:
    """All repositories that somebody wants. ``run`` does the work; everything else answers at once."""

    def __init__(
        self,
        cache: Path,
        clock: Clock,
        randomness: Randomness,
        *,
        poll_seconds: float,
        protocols: Sequence[str] = PROTOCOLS,
        credentials: Callable[[str], Credentials] = lambda url: NO_CREDENTIALS,
        network_seconds: float = NETWORK_SECONDS,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._randomness = randomness
        self._poll_seconds = poll_seconds
        self._protocols = tuple(protocols)
        self._credentials = credentials
        self._network_seconds = network_seconds
        self._git = Git(cache / "home", protocols=self._protocols)
        self._repositories: dict[str, _Repository] = {}
        self._wants: dict[Hashable, tuple[str, str]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.changed: Changed = lambda keys: None

    def look(self, who: Hashable, url: str, revision: str) -> Look:
        """Return what is known, and keep ``who`` told about it; who wanted another revision no longer does.

        Raises AddressRefused for an address that cannot be used.
        """
        protocol(url, self._protocols)
        place = canonical(url), revision or "HEAD"
        if self._wants.get(who) != place:
            self.forget(who)
            self._wants[who] = place
        repository = self._repositories.get(place[0])
        if repository is None:
            mirror = Mirror(self._git, self._cache, url, network_seconds=self._network_seconds)
            repository = self._repositories[place[0]] = _Repository(mirror)
            self._begin(repository)
        if place[1] not in repository.wanted:
            repository.wanted[place[1]] = set()
            repository.wake.set()
        repository.wanted[place[1]].add(who)
        known = repository.looks.get(place[1], Look())
        return Look(known.tree, known.error, repository.polls)

    def forget(self, who: Hashable) -> None:
        """Stop telling ``who`` anything; a repository that nobody wants is no longer polled."""
        url, revision = self._wants.pop(who, ("", ""))
        repository = self._repositories.get(url)
        if repository is None:
            return
        repository.wanted.get(revision, set()).discard(who)
        repository.askers.pop(who, None)
        if not repository.wanted.get(revision):
            repository.wanted.pop(revision, None)
            repository.looks.pop(revision, None)
        if not repository.wanted:
            del self._repositories[url]
            if repository.task is not None:
                repository.task.cancel()

    def refresh(self, who: Hashable) -> int:
        """Poll what ``who`` wants now, and tell when it is done.

        ``Look.poll`` has reached the returned number by then (a poll that runs already does not count).
        """
        repository = self._repositories.get(self._wants.get(who, ("", ""))[0])
        if repository is None:
            return 0
        if who not in repository.askers:
            repository.askers[who] = repository.polls + (2 if repository.busy else 1)
            repository.wake.set()
        return repository.askers[who]

    def poll_all(self) -> None:
        """Poll every repository now: something that concerns them has changed."""
        for repository in self._repositories.values():
            repository.wake.set()

    def mirror(self, url: str) -> Mirror:
        """Return the local copy that ``look`` has made. Raises KeyError when nobody wants the repository."""
        return self._repositories[canonical(url)].mirror

    async def run(self) -> None:
        """Poll until cancelled."""
        self._git.prepare()
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for repository in self._repositories.values():
                    self._begin(repository)
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    def _begin(self, repository: _Repository) -> None:
        if self._group is not None:
            name = f"poll {repository.mirror.shown}"
            repository.task = self._group.create_task(self._poll(repository), name=name)

    async def _poll(self, repository: _Repository) -> None:
        while True:
            repository.wake.clear()
            repository.busy = True
            told = await self._once(repository)
            repository.busy = False
            repository.polls += 1
            due = {who for who, poll in repository.askers.items() if poll <= repository.polls}
            for who in due:
                del repository.askers[who]
            self.changed(told | due)
            await self._rest(repository)

    async def _rest(self, repository: _Repository) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(repository.wake.wait()),
                group.create_task(self._clock.sleep(self._pause(repository))),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def _pause(self, repository: _Repository) -> float:
        if not repository.failures:
            return self._randomness.uniform(self._poll_seconds, self._poll_seconds * 1.1)
        first, longest = RETRY_SECONDS
        ceiling = min(longest, self._poll_seconds, first * 2.0 ** min(repository.failures - 1, 10))
        return self._randomness.uniform(ceiling / 2, ceiling)

    async def _once(self, repository: _Repository) -> set[Hashable]:
        """Poll once; return those whose answer is another one now."""
        mirror = repository.mirror
        credentials = self._credentials(mirror.url)
        try:
            refs = await mirror.refs(credentials)
        except SourceError as error:
            repository.failures += 1
            log = _log.info if repository.failures == 1 else _log.debug
            log("%s cannot be polled: %s", mirror.shown, error)
            answers = {
                revision: Look(repository.looks.get(revision, Look()).tree, error)
                for revision in tuple(repository.wanted)
            }
        else:
            repository.failures = 0
            answers = {
                revision: await self._answer(repository, refs, revision, credentials)
                for revision in tuple(repository.wanted)
            }
        return self._keep(repository, answers)

    async def _answer(
        self, repository: _Repository, refs: Mapping[str, str], revision: str, credentials: Credentials
    ) -> Look:
        held = repository.looks.get(revision, Look()).tree
        try:
            wanted = resolve(refs, revision)
            if held is not None and held.commit == wanted.commit:
                return Look(held)
            return Look(await repository.mirror.tree(wanted, credentials))
        except SourceError as error:
            repository.failures += error.retry
            return Look(held, error)

    def _keep(self, repository: _Repository, answers: Mapping[str, Look]) -> set[Hashable]:
        told: set[Hashable] = set()
        for revision, look in answers.items():
            if revision not in repository.wanted:
                continue
            old = repository.looks.get(revision)
            repository.looks[revision] = look
            if old is None or old.tree is not look.tree or str(old.error) != str(look.error):
                told |= repository.wanted[revision]
        return told
