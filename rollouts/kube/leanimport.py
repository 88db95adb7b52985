"""Importing kubernetes_asyncio without its 800 generated classes, which we never use.

They would cost every process about 40 MiB and a second at its start. Within ``lean`` each generated module is
a stand-in whose classes turn into the real ones when somebody calls, inspects or checks against them: code of
others in the same process (a plugin, say) finds all that it expects.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

GENERATED = ("kubernetes_asyncio.client.api.", "kubernetes_asyncio.client.models.")


class _Deferred(type):
    """The type of stand-in classes. A subclass of one becomes a subclass of the real class."""

    def __new__(mcs, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(mcs, name, bases, namespace)
        found = tuple(_real(b.__module__, b.__name__) if isinstance(b, mcs) else b for b in bases)
        return type(found[0])(name, found, namespace)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return _real(cls.__module__, cls.__name__)(*args, **options)

    def __getattr__(cls, name: str) -> Any:
        return getattr(_real(cls.__module__, cls.__name__), name)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _real(cls.__module__, cls.__name__))


@cache
def _real(module: str, name: str) -> Any:
    """Import the generated module for good, and return one of its classes."""
    if isinstance(sys.modules.get(module), _StandIn):
        del sys.modules[module]
    return getattr(importlib.import_module(module), name)


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = _Deferred(name, (), {"__module__": self.__name__})
        setattr(self, name, found)
        return found


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname.startswith(GENERATED) else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


@contextmanager
def lean() -> Iterator[None]:
    """Give stand-ins for generated modules that are imported within; those imported before stay."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
