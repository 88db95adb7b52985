"""`rollouts lint -f FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click


@click.command("lint")
@click.option(
    "-f", "--filename", "files", multiple=True, required=True, metavar="FILE",
    help="File or folder with manifests; - for standard input. May be given several times.",
)  # fmt: skip
def lint_command(files: tuple[str, ...]) -> None:
    """Check manifests: unknown fields, wrong types, bad steps, missing references.

    Exit code 0 when there is no error, 1 when there is one, 2 when a file cannot be read.
    """
    from rollouts.api.lint import Severity, lint_documents  # noqa: PLC0415 - keeps --help fast

    bad = 0
    seen = 0
    for name, text in read_texts(files):
        seen += 1
        for finding in lint_documents(text):
            bad += finding.severity is Severity.ERROR
            click.echo(f"{name}: {finding}")
    if bad:
        raise click.exceptions.Exit(1)
    click.echo(f"{seen} file{'s' if seen != 1 else ''} checked, no errors", err=True)


def read_texts(files: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return name and content of files and of those in folders. Raises UsageError for an unreadable one."""
    found: list[tuple[str, bytes]] = []
    for name in files:
        if name == "-":
            found.append(("standard input", sys.stdin.buffer.read()))
            continue
        path = Path(name)
        paths = (
            sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
        )
        try:
            found += [(str(p), p.read_bytes()) for p in paths]
        except OSError as error:
            raise click.UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    return found
