"""Creates ``.venv`` with the pinned dependencies and this project, from a bare Python 3.11 or newer.

``python3 -m tools.setup dev|demo`` in the repository's folder. It needs neither root nor the python3-venv
package nor pip: where ensurepip is missing, pip is fetched from the configured index and checked against a
pinned digest. Running it again costs milliseconds: a stamp holds the digest of all that decides what is
installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from tools.bootstrap_pip import BootstrapFailed, fetch_pip, has_ensurepip

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PROFILES = {"dev": ("dev",), "demo": ("demo", "dev")}
"""What satisfies a profile: whoever has the tools of development can also run the demo."""
REPORT_EVERY_SECONDS = 5.0


class SetupFailed(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Set the profile up; return the exit code."""
    profile = arguments[0] if len(arguments) == 1 else ""
    if profile not in PROFILES:
        say(f"usage: python3 -m tools.setup {'|'.join(PROFILES)}")
        return 2
    try:
        set_up(profile)
    except (SetupFailed, BootstrapFailed) as error:
        say(f"failed: {error}")
        return 1
    return 0


def set_up(profile: str) -> None:
    """Install what ``profile`` needs unless that is there already. Raises SetupFailed, BootstrapFailed."""
    if sys.version_info < (3, 11):  # noqa: UP036 (runs on whatever Python there is)
        raise SetupFailed(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; set PYTHON=python3.x"
        )
    if any(_stamp(one).exists() and _stamp(one).read_text() == _wanted(one) for one in PROFILES[profile]):
        return
    started = time.monotonic()
    if not _venv_works():
        say(f"creating .venv with Python {sys.version.split()[0]}")
        _create_venv()
    requirements = ROOT / "requirements" / f"{profile}.txt"
    _pip(
        ["install", "--require-hashes", "-r", str(requirements)],
        what="pinned packages",
        total=_pins(requirements),
    )
    _pip(["install", "--no-deps", "--no-build-isolation", "-e", "."], what="this project", total=1)
    _stamp(profile).write_text(_wanted(profile))
    say(f"ready in {time.monotonic() - started:.0f} s")


def _create_venv() -> None:
    simple = has_ensurepip()
    venv.EnvBuilder(with_pip=simple, clear=True, symlinks=True).create(VENV)
    if not simple:
        say("this Python has no ensurepip: fetching pip from the package index")
        scratch = VENV / "bootstrap"
        wheel = fetch_pip(scratch)
        _run([str(PYTHON), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)], what="pip")
        shutil.rmtree(scratch)


def _venv_works() -> bool:
    if not PYTHON.exists():
        return False
    probe = "import pip, sys; print(sys.version_info[:2] >= (3, 11))"
    answer = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "True"


def _pip(arguments: list[str], *, what: str, total: int) -> None:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    say(f"installing {what} ({total})")
    lines: list[str] = []
    last = time.monotonic()
    with subprocess.Popen(
        [*command, "--progress-bar", "off"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if time.monotonic() - last >= REPORT_EVERY_SECONDS:
                last = time.monotonic()
                seen = sum(1 for one in lines if one.startswith(("Collecting", "Requirement already")))
                say(f"{what}: {seen} of {total}")
    if process.returncode:
        raise SetupFailed(f"pip could not install {what}:\n" + "\n".join(lines[-15:]))


def _run(command: list[str], *, what: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if answer.returncode:
        raise SetupFailed(f"{what}: {answer.stdout[-1500:]}{answer.stderr[-1500:]}")


def _pins(requirements: Path) -> int:
    return sum(
        1 for line in requirements.read_text().splitlines() if "==" in line and not line.startswith(" ")
    )


def _stamp(profile: str) -> Path:
    return VENV / f".installed-{profile}"


def _wanted(profile: str) -> str:
    total = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for path in (ROOT / "requirements" / f"{profile}.txt", ROOT / "pyproject.toml", Path(__file__)):
        total.update(path.read_bytes())
    return total.hexdigest()


def say(message: str) -> None:
    """Print one line at once."""
    print(f"set-up: {message}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
