"""Queries with holes: ``{{window}}`` for the range, ``{{selector}}`` for the matcher of one version.

The text is looked at with its string literals blanked out, so nothing inside quotes is taken for syntax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.spec.errors import SpecError

_WINDOW = "__slo_window__"
_SELECTOR = "__slo_selector__"
_WINDOW_TAG = re.compile(r"\{\{\s*\.?window\s*\}\}")
_SELECTOR_TAG = re.compile(r"\{\{\s*\.?selector\s*\}\}")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', re.DOTALL)
_PLAIN = re.compile(r"\s*(?:[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{[^{}]*\})?|\{[^{}]*\})\s*")
_RANGE = re.compile(rf"\[\s*{_WINDOW}\s*(?::[^\]]*)?\]")
_NAME_END = re.compile(r"[a-zA-Z0-9_:]")
_LE = re.compile(r"[{,]\s*le\s*(?:=|!)")
LONGEST = 10_000
"""Characters of a query."""


@dataclass(frozen=True, slots=True)
class QueryTemplate:
    """A query whose range and version are open. ``counter`` is the bare selector that it was made of."""

    text: str
    counter: str = ""

    def fill(self, window: str, matcher: str = "") -> str:
        """Return PromQL for a range such as ``5m``; without a matcher for the whole service."""
        return self._filled(self.text, window, matcher)

    def count(self, window: str, matcher: str) -> str:
        """Return PromQL of the events of a young version in a window; "" when no bare counter was given.

        ``increase()`` takes a series' first sample for its zero, and so misses the first errors of a new pod.
        A series that was not there when the window began counts from 0 instead (or from its last restart).
        """
        if not self.counter:
            return ""
        counter = self._filled(self.counter, window, matcher)
        return f"sum((increase({counter}[{window}]) and ({counter} offset {window})) or {counter})"

    def _filled(self, text: str, window: str, matcher: str) -> str:
        text = text.replace(_WINDOW, window)
        if matcher:
            return text.replace(_SELECTOR, matcher)
        text = re.sub(rf"(?<=[a-zA-Z0-9_:])\{{{_SELECTOR}\}}", "", text)
        text = re.sub(rf"\s*,\s*{_SELECTOR}", "", text)
        return re.sub(rf"{_SELECTOR}\s*,?\s*", "", text)

    @property
    def splittable(self) -> bool:
        """Tell whether it can be asked for one version alone."""
        return _SELECTOR in self.text

    @property
    def gives_rate(self) -> bool | None:
        """Tell whether it gives events per second; False for events per window, None when it is unclear."""
        rate, increase = ("rate(" in self.text), ("increase(" in self.text)
        return None if rate == increase else rate


def blanked(text: str) -> str:
    """Return the text, as long as before, with what stands inside quotes replaced by blanks."""
    return _STRING.sub(lambda found: '"' + " " * (len(found[0]) - 2) + '"', text)


def read_query(text: str, path: str) -> QueryTemplate:
    """Return a query or a counter's selector as a template. Raises SpecError with the path.

    A bare selector becomes ``sum(rate(selector[window]))``.
    """
    marked = _marked(text, path)
    if _PLAIN.fullmatch(blanked(marked)):
        return _of_counter(_with_selector(marked.strip()))
    if not _RANGE.search(blanked(marked)):
        raise SpecError(
            path,
            "is a query without [{{window}}]: wanted either a counter's selector such as"
            ' requests_total{job="shop"}, or a query with {{window}} where its range belongs',
        )
    return QueryTemplate(_with_selectors(marked))


def read_selector(text: str, path: str) -> QueryTemplate:
    """Return a bare selector as a template without a range. Raises SpecError with the path."""
    marked = _marked(text, path)
    if not _PLAIN.fullmatch(blanked(marked)):
        raise SpecError(path, 'must be a selector alone, such as request_seconds_bucket{job="shop"}')
    if _LE.search(blanked(marked)):
        raise SpecError(path, "must not choose le: the threshold does that")
    return QueryTemplate(_with_selector(marked.strip()))


def ranged(selector: QueryTemplate, matcher: str = "") -> QueryTemplate:
    """Return ``sum(rate(…[window]))`` of a bare selector, with one more matcher."""
    text = _inserted(selector.text, matcher) if matcher else selector.text
    return _of_counter(text)


def _of_counter(counter: str) -> QueryTemplate:
    return QueryTemplate(f"sum(rate({counter}[{_WINDOW}]))", counter)


def _marked(text: str, path: str) -> str:
    if not text.strip():
        raise SpecError(path, "is empty")
    if len(text) > LONGEST:
        raise SpecError(path, f"is longer than {LONGEST} characters")
    marked = _SELECTOR_TAG.sub(_SELECTOR, _WINDOW_TAG.sub(_WINDOW, text))
    unknown = re.search(r"\{\{.*?\}\}", marked, re.DOTALL)
    if unknown:
        raise SpecError(
            path, f"holds {unknown[0][:40]}; only {{{{window}}}} and {{{{selector}}}} are filled in"
        )
    return marked


def _with_selectors(text: str) -> str:
    """Put the version's place into every selector that has the range, unless the query says where."""
    if _SELECTOR in text:
        return text
    for found in reversed(list(_RANGE.finditer(blanked(text)))):
        before = text[: found.start()].rstrip()
        if before.endswith("}") or (before and _NAME_END.match(before[-1])):
            text = _with_selector(before) + text[found.start() :]
    return text


def _with_selector(text: str) -> str:
    return text if _SELECTOR in text else _inserted(text, _SELECTOR)


def _inserted(text: str, matcher: str) -> str:
    """Return a text that ends with a selector, with one more matcher in that."""
    if not text.endswith("}"):
        return f"{text}{{{matcher}}}"
    inside = text[:-1].rstrip()
    comma = "" if inside.endswith(("{", ",")) else ","
    return f"{inside}{comma}{matcher}}}"
