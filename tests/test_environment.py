"""One truth about what vmlab needs: pyproject.toml; environment.yml and the locks repeat it without drifting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LAB, TEST = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-test.lock"))


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


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Each package's version and its hashes; on which systems it is wanted may differ."""
    found = {}
    for entry in re.split(r"(?m)^(?=[a-z0-9.-]+==)", lock)[1:]:
        name, _, rest = entry.partition("==")
        found[name] = (rest.split()[0], frozenset(re.findall(r"--hash=(sha256:\w+)", entry)))
    return found


@pytest.mark.parametrize(("lock", "extras"), [(LAB, ["build"]), (TEST, ["build", "test"])], ids=["lab", "test"])
def test_a_lock_pins_every_dependency_with_hashes(lock: str, extras: list[str]):
    wanted = {split(line)[0] for line in PROJECT["dependencies"]}
    wanted |= {split(line)[0] for extra in extras for line in PROJECT["optional-dependencies"][extra]}

    assert set() == wanted - set(pins(lock))
    assert [] == [name for name, (_, hashes) in pins(lock).items() if not hashes]


def test_the_lab_gets_what_is_tested_and_nothing_that_only_tests_need():
    assert pins(LAB).items() <= pins(TEST).items(), "make lock writes both"
    assert not {"jupyterhub", "nbgrader", "playwright", "pytest", "distributed"} & set(pins(LAB))


def test_the_locks_name_no_host():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", LAB + TEST)
