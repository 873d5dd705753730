"""A learner's server on a JupyterHub: `python -m vmlab.seat` is the command that the hub's spawner starts.

It runs as the learner, with the learner's rights and in their home: hands out the notebooks, keeps what Jupyter writes
in one folder of ours as `vmlab lab` does, and turns into jupyterhub-singleuser with the lab's settings.
Everything a learner has is below their home: `vmlab/` with their own copies, `.local/state/vmlab/` with the lab's
files and the answers, `.cache/vmlab/` with compiled kernels (copied from the installation, where they are warm).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .lab import PACKAGE, SETTINGS, isolated
from .study.lessons import START

FOLDERS = ("notebooks", "exercises")
MEMORY = "MEM_LIMIT"  # JupyterHub hands c.Spawner.mem_limit on in this variable, in bytes
GIVEN = ".given.json"


def main(arguments: Sequence[str]) -> None:
    """Become the learner's server; the arguments are the spawner's."""
    os.umask(0o077)  # other learners may have an account on this machine, too
    home = Path.home()
    folder, state = home / "vmlab", home / ".local" / "state" / "vmlab"
    kept = hand_out(PACKAGE.parent, folder)
    for name in kept:
        print(f"vmlab: {name} was changed by the learner, and stays as it is", file=sys.stderr)
    share_fonts(PACKAGE.parent / ".lab" / "matplotlib", state / "matplotlib")
    limit_memory(os.environ.get(MEMORY, ""))
    began = (state / "data" / "vmlab-progress.json").exists()
    page = "/lab" if began else f"/lab/tree/notebooks/{START.file}"
    places = {"JUPYTERHUB_ROOT_DIR": str(folder), "JUPYTERHUB_DEFAULT_URL": page}
    os.chdir(folder)
    command = [sys.executable, "-m", "jupyterhub.singleuser", *settings(), *arguments]
    os.execve(command[0], command, os.environ | isolated(state) | places)


def settings() -> list[str]:
    """The lab's settings; where to listen is the hub's to say."""
    return [f"--config={SETTINGS / 'server_config.json'}", f"--LabApp.app_settings_dir={SETTINGS}"]


def hand_out(source: Path, folder: Path) -> list[str]:
    """Give the learner a copy of each notebook, and the new edition of those that they left alone.

    Returns the names of those that have a new edition and were changed: their owner deletes or renames them to
    get it at the next start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    given, kept = _read(folder / GIVEN), []
    for path in sorted(path for name in FOLDERS for path in (source / name).glob("*.ipynb")):
        name, edition = path.relative_to(source).as_posix(), path.read_bytes()
        mine, digest = folder / name, hashlib.sha256(edition).hexdigest()
        has = hashlib.sha256(mine.read_bytes()).hexdigest() if mine.exists() else None
        if has in (None, given.get(name)):
            if has != digest:
                _write(mine, edition)
            given[name] = digest
        elif digest not in (has, given.get(name)):
            kept.append(name)
    _write(folder / GIVEN, json.dumps(given, indent=1).encode())
    return kept


def _read(path: Path) -> dict[str, str]:
    """What was given: names and digests; nothing, if the file is missing or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in data.items()} if isinstance(data, dict) else {}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def share_fonts(ready: Path, own: Path) -> None:
    """Copy matplotlib's list of fonts, which takes seconds to make, from where the hub had it made."""
    with contextlib.suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        for path in ready.glob("fontlist-*.json"):
            if not (own / path.name).exists():
                shutil.copyfile(path, own / path.name)


def limit_memory(limit: str) -> None:
    """Hold each process of the learner to so many bytes of private memory: MemoryError for one, not swap for all."""
    if limit.isdigit():
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = int(limit) if most == resource.RLIM_INFINITY else min(int(limit), most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))


if __name__ == "__main__":
    main(sys.argv[1:])
