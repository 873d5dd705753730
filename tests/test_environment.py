"""One truth about what vmlab needs: pyproject.toml; environment.yml and the lock repeat it without drifting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()


def split(requirement: str) -> tuple[str, str]:
    """Name and version range: 'ipywidgets>=8.1,<9' is ('ipywidgets', '>=8.1,<9')."""
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", requirement.split(";")[0].strip())
    assert found
    return found[1].lower().replace("_", "-"), found[2].replace(" ", "")


def test_environment_yml_asks_for_what_pyproject_asks_for():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    asked = dict(split(line) for line in conda["dependencies"] if isinstance(line, str) and line != "pip")

    assert dict(map(split, PROJECT["dependencies"])) | {"python": PROJECT["requires-python"]} == asked
    assert ["conda-forge"] == conda["channels"]
    assert {"pip": ["--editable ."]} in conda["dependencies"]


def test_the_lock_pins_every_dependency_with_hashes():
    pinned = set(re.findall(r"(?m)^([a-z0-9.-]+)==", LOCK))
    wanted = {split(line)[0] for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])}

    assert set() == wanted - pinned
    for entry in re.split(r"(?m)^(?=[a-z0-9.-]+==)", LOCK)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_lock_names_no_host():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", LOCK)
