"""axe-core in a page: what breaks a rule of accessibility."""

from __future__ import annotations

from importlib.resources import files

from playwright.sync_api import Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# JupyterLab's own frame is not ours to mend: in the lab, only what our cells put out is judged.
OURS = ".jp-OutputArea-output"
# Rules about a whole page mean nothing for its parts.
RULES = {"region": {"enabled": False}}
# ipywidgets 8 gives a slider's handle no name of its own. Its label stands beside it, and its number can be typed.
UNNAMED_HANDLE = 'aria-input-field-name: <div class="noUi-handle'


def violations(page: Page, root: str = "html") -> list[str]:
    """One line for each element that breaks a rule: the rule, and the element."""
    page.evaluate(AXE)
    found = page.evaluate("([root, rules]) => axe.run({include: [[root]]}, {rules})", [root, RULES])
    assert found["passes"], "nothing was judged"
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]


def violations_of_cells(page: Page) -> list[str]:
    """The same for what the cells of the notebook in front put out."""
    return [line for line in violations(page, OURS) if not line.startswith(UNNAMED_HANDLE)]
