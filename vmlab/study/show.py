"""Things that show themselves: as a widget where there are widgets, as static HTML and text elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

WIDE = "font-family:system-ui,'DejaVu Sans',sans-serif;font-size:14px;line-height:1.45;max-width:62em"

_silent = False  # while a notebook's cells run only for their answers


class Interactive:
    """Base of everything interactive. All three forms go into one output; the reader's program picks one."""

    def build(self) -> Any:
        """Make the widget; called once, and only where ipywidgets is there."""
        raise NotImplementedError

    def static_html(self) -> str:
        """What an exported notebook shows."""
        return f"<pre>{escape(self.static_text())}</pre>"

    def static_text(self) -> str:
        """What a terminal shows."""
        raise NotImplementedError

    @property
    def widget(self) -> Any:
        """The widget, or None without ipywidgets; the same one however often it is shown."""
        if not hasattr(self, "_widget"):
            self._widget = self.build() if widgets_there() else None
        return self._widget

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": self.static_text(), "text/html": self.static_html()}
        if self.widget is not None:
            view = self.widget._repr_mimebundle_()
            bundle |= {kind: data for kind, data in view.items() if "widget-view" in kind}
        return bundle

    def __repr__(self) -> str:
        return self.static_text()


def show(thing: Any) -> None:
    """Show at once: in a notebook as a notebook does it, elsewhere as text."""
    if _silent:
        return
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(thing)
        return
    if get_ipython() is None:
        print(thing)
    else:
        display(thing)


def silent() -> bool:
    """Whether nothing is to be shown now."""
    return _silent


@contextmanager
def silently() -> Iterator[None]:
    """For a while, show nothing."""
    global _silent
    _silent, before = True, _silent
    try:
        yield
    finally:
        _silent = before


def widgets_there() -> bool:
    """Whether ipywidgets can be used: it is installed, and a notebook's kernel runs this."""
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def html_of(thing: Any) -> str:
    """`thing` as HTML: its own, or its text."""
    for name in ("static_html", "_repr_html_"):
        method = getattr(thing, name, None)
        if method is not None:
            return str(method())
    return paragraph(str(thing))


def text_of(thing: Any) -> str:
    """`thing` as text."""
    method = getattr(thing, "static_text", None)
    return str(method()) if method is not None else str(thing)


def paragraph(text: str, live: bool = False) -> str:
    """Text as one HTML paragraph per line; `live` is read aloud when it changes."""
    body = "".join(f'<p style="margin:.25em 0{_kept(line)}">{escape(line)}</p>' for line in text.splitlines())
    return f'<div style="{WIDE}"{" role=status aria-live=polite" if live else ""}>{body}</div>'


def _kept(line: str) -> str:
    """The style that keeps a line's spaces where they say something: /proc/iomem indents what lies inside."""
    return ";white-space:pre-wrap" if line.startswith(" ") else ""


def note(text: str, colour: str) -> str:
    """A message in a box with a coloured edge; the words carry the meaning, not the colour."""
    return f'<div style="border-left:4px solid {colour};padding:.1em .7em;margin:.3em 0">{paragraph(text, True)}</div>'
