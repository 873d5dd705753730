"""In the sandbox: what a notebook's cells find around them. Pictures stand for nothing, and `ask` tells plain facts."""

import builtins
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

PICTURES = ("matplotlib", "IPython", "ipywidgets", "seaborn", "plotly", "bokeh", "ipympl")


class Anything(types.ModuleType):
    """Stands for what is not here, pictures above all: takes every name and every call, and gives itself."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: object, **words: object) -> object:
        """Give itself: also the function that it was to decorate."""
        return self

    def __getitem__(self, key: object) -> object:
        return self

    def __iter__(self) -> Iterator[object]:
        return iter((self, self))  # fig, axes = plt.subplots()

    def __enter__(self) -> object:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave errors to whoever made them."""


class Pictures(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what draws, with all below it: there is no screen, no file to write, and no time to load it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """One of ours, or none."""
        ours = name.partition(".")[0] in PICTURES
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """What takes everything."""
        return Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def modules(given: dict[str, Any]) -> None:
    """The names that an exercise imports: `ask` tells what this learner is told, `check` stays silent."""
    import units

    package, study = Anything("vmlab"), Anything("vmlab.study")
    package.__path__ = []
    for name in ("KiB", "MiB", "GiB", "TiB", "VmlabError"):
        setattr(package, name, getattr(units, name))
    study.ask = lambda entry, *_, **__: types.SimpleNamespace(**given.get(entry, {}))  # type: ignore[attr-defined]
    study.check = study.i_am = lambda *_, **__: None  # type: ignore[attr-defined]
    nothing = Anything("vmlab.views")
    package.units, package.study = units, study  # type: ignore[attr-defined]
    sys.modules.update({"vmlab": package, "vmlab.study": study, "vmlab.views": nothing, "vmlab.units": units})
    builtins.display = builtins.get_ipython = nothing  # type: ignore[attr-defined]
    builtins.input = lambda *_: ""  # nobody is there to answer
    sys.meta_path.insert(0, Pictures())
