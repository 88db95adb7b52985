"""Reads and parses what a source selects, keeping the result by content."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from rollouts.api.argoproj.source import ApplicationSource
from rollouts.gitops.render.directory import Rendered, check_supported, parse, selected
from rollouts.gitops.source.mirror import Mirror
from rollouts.gitops.source.tree import File, Tree, folder_path

IN_THREAD_BYTES = 32 * 1024
"""From this size on, files are parsed in a thread so that the event loop goes on."""
FILES_KEPT = 50_000
RESULTS_KEPT = 20_000


class Renderer:
    """Renders sources. ``rendered`` counts the sources that were not answered from memory."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, str], tuple[Rendered, ...]] = OrderedDict()
        self._results: OrderedDict[tuple[str, str], tuple[Rendered, ...]] = OrderedDict()
        self.rendered = 0

    async def render(self, source: ApplicationSource, tree: Tree, mirror: Mirror) -> Sequence[Rendered]:
        """Return the objects of a source at a commit. Raises RenderError and SourceError."""
        folder = folder_path(source.path)
        options = source.directory.model_dump_json() if source.directory else ""
        identity = (f"{folder}\0{options}", tree.fingerprint(folder))
        held = self._results.get(identity)
        if held is not None:
            self._results.move_to_end(identity)
            return held
        check_supported(source, tree, folder)
        files = selected(tree, folder, source.directory)
        held_files = {(f.path, f.blob): self._files.get((f.path, f.blob)) for f in files}
        fresh = await self._load([f for f in files if held_files[f.path, f.blob] is None], mirror)
        self._files.update(fresh)
        result = tuple(
            one for f in files for one in held_files[f.path, f.blob] or fresh.get((f.path, f.blob), ())
        )
        self._results[identity] = result
        self.rendered += 1
        _trim(self._results, RESULTS_KEPT)
        _trim(self._files, FILES_KEPT)
        return result

    async def _load(
        self, files: Sequence[File], mirror: Mirror
    ) -> dict[tuple[str, str], tuple[Rendered, ...]]:
        if not files:
            return {}
        contents = await mirror.read(files)
        batch = [(file, contents[file.blob]) for file in files]
        if sum(len(content) for _, content in batch) > IN_THREAD_BYTES:
            return await asyncio.to_thread(_parse_all, batch)
        return _parse_all(batch)


def _parse_all(batch: Sequence[tuple[File, bytes]]) -> dict[tuple[str, str], tuple[Rendered, ...]]:
    return {(file.path, file.blob): parse(file.path, content) for file, content in batch}


def _trim(held: OrderedDict[tuple[str, str], tuple[Rendered, ...]], limit: int) -> None:
    while len(held) > limit:
        held.popitem(last=False)
