"""Every state of an object, from a watch that starts at a known version: short states are seen, too."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from tests.cluster.control_plane import RealCluster

Object = dict[str, Any]
Predicate = Callable[[Object], bool]


class History:
    """Watches one object from ``start`` on, in a thread of its own, and keeps each state it went through."""

    def __init__(self, cluster: RealCluster, collection: str, name: str) -> None:
        self._url = cluster.url + collection
        self._name = name
        self._context = ssl.create_default_context(cafile=str(cluster.ca))
        self._token = cluster.token("admin")
        self._version = str(cluster.admin.get(collection)["metadata"]["resourceVersion"])
        self._states: list[Object] = []
        self._problem: Exception | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"watch {name}", daemon=True)

    def start(self) -> History:
        """Begin; everything since the construction is seen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; the thread leaves with the server's next word."""
        self._stopped = True

    @property
    def states(self) -> Sequence[Object]:
        """Return the states so far, oldest first."""
        with self._changed:
            return tuple(self._states)

    def distinct(self, of: Callable[[Object], Any]) -> list[Any]:
        """Return what ``of`` gave over time, without repetitions."""
        values: list[Any] = []
        for state in self.states:
            value = of(state)
            if not values or values[-1] != value:
                values.append(value)
        return values

    def wait(self, predicate: Predicate, *, seconds: float, what: str) -> Object:
        """Return the first state, past or coming, for which ``predicate`` holds. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self._changed:
            while True:
                for state in self._states[seen:]:
                    if predicate(state):
                        return state
                seen = len(self._states)
                if self._problem is not None:
                    raise AssertionError(f"the watch of {self._name} failed: {self._problem}")
                left = deadline - time.monotonic()
                if left <= 0:
                    last = json.dumps(self._states[-1].get("status") if self._states else None, indent=1)
                    raise AssertionError(
                        f"{self._name}: no {what} within {seconds:.0f} s; last status: {last}"
                    )
                self._changed.wait(left)

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._follow()
            except TimeoutError:
                continue
            except (OSError, ValueError) as problem:
                with self._changed:
                    self._problem = problem
                    self._changed.notify_all()
                return

    def _follow(self) -> None:
        query = {
            "watch": "1",
            "resourceVersion": self._version,
            "fieldSelector": f"metadata.name={self._name}",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "60",
        }
        request = urllib.request.Request(f"{self._url}?{urllib.parse.urlencode(query)}")
        request.add_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request, context=self._context, timeout=70) as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ValueError(event["object"].get("message", "unknown error"))
                self._take(event)
                if self._stopped:
                    return

    def _take(self, event: dict[str, Any]) -> None:
        found: Object = event["object"]
        with self._changed:
            self._version = found["metadata"]["resourceVersion"]
            if event["type"] in ("ADDED", "MODIFIED"):
                self._states.append(found)
            self._changed.notify_all()
