"""Run one code cell of a notebook without a notebook: IPython's own lines are rewritten, `await` may stand at the top.

Such lines are looked for only in a cell that is no Python as it stands, and only by how they begin or end. Standard
library only: `vmlab check` runs cells with this on the learner's machine, and `vmlab grade` in its sandbox.
"""

import ast
import inspect
import linecache
import re
from typing import Any

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
REWRITTEN = (
    (re.compile(r"^([ \t]*)%%?time(?:it)?(?: +-[nr] *\d+)*[ \t]+(?=[^ \t\n-])", re.MULTILINE), r"\1"),  # what it times
    (re.compile(r"^([ \t]*(?:[\w.]+[ \t]*,[ \t]*)*[\w.]+[ \t]*=[ \t]*)[%!][^\n]*$", re.MULTILINE), r"\1None"),
    (re.compile(r"^([ \t]*)(?:[%!?][^\n]*|[\w.]+\?\??[ \t]*)$", re.MULTILINE), r"\1pass"),
)
PROMPT, INDENTED = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE), re.compile(r"[ \t]+")


def cell(source: str, number: int, names: dict[str, Any]) -> None:
    """Run one code cell."""
    where = f"<cell {number + 1}>"
    linecache.cache[where] = (len(source), None, source.splitlines(keepends=True), where)  # so that errors show a line
    try:
        code = compile(source, where, "exec", AWAIT)
    except SyntaxError:
        code = compile(rewritten(source), where, "exec", AWAIT)
    running = eval(code, names)  # what awaits at the top is a coroutine
    if inspect.iscoroutine(running):
        import asyncio

        asyncio.run(running)


def rewritten(source: str) -> str:
    """A cell without what only IPython understands.

    >>> rewritten(">>> files = !ls\\n... print(files)"), rewritten("  %time x = 1\\n  x?")
    ('files = None\\nprint(files)', 'x = 1\\npass')
    """
    source = source.lstrip("\n")
    if source.startswith(">>>"):
        source = PROMPT.sub("", source)
    if indented := INDENTED.match(source):
        source = re.sub(f"^{indented[0]}", "", source, flags=re.MULTILINE)
    for pattern, plainer in REWRITTEN:
        source = pattern.sub(plainer, source)
    return source
