"""The command `vmlab`: one table of subcommands, each imported only when it is asked for.

A subcommand is a module with `add_arguments(parser)` and `run(args) -> int`. What the user got wrong is one
line on stderr and exit code 2; VMLAB_DEBUG=1 shows the traceback behind it.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "lab": ("vmlab.lab", "open JupyterLab on the lessons"),
    "machines": ("vmlab.judge.verify", "list the recorded machines, or check the model against them (--verify)"),
    "grade": ("vmlab.grade.run", "grade a class's exercises, each notebook in a sandbox"),
    "compare": ("vmlab.compare", "two machines side by side, each difference with its reason"),
    "record": ("vmlab.live.record", "boot a real kernel under QEMU and write down what it says of its memory"),
    "replay": ("vmlab.judge.replay", "play a real kernel's allocation trace in the model"),
    "check": ("vmlab.study.check_notebook", "check the answers in your exercise notebooks, here and at once"),
    "release": ("vmlab.study.release", "build the notebooks from lessons/"),
    "book": ("vmlab.book", "make a static HTML book of the notebooks"),
    "bench": ("vmlab.bench", "time what we do beside the same in C and in other tools"),
    "warm": ("vmlab.warm", "compile every kernel once, so that no lesson waits for it"),
    "trace": ("vmlab.trace.record", "record which pages a program touches, as a trace for TLBs and replacement"),
    "doctor": ("vmlab.doctor", "say what is missing on this machine, and what that costs"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments), ""]
    if name in ("", "-h", "--help"):
        print(usage())
        return 0 if name else 2
    if name == "--version":
        print(f"vmlab {importlib.import_module('importlib.metadata').version('vmlab')}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(COMMANDS)}"
        return complain(f"unknown command {name!r}: {hint}")
    try:
        return run(name, rest[:-1])
    except KeyboardInterrupt:
        return complain("stopped", code=130)
    except BrokenPipeError:  # whoever read our output has seen enough, as in `vmlab machines | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        if os.environ.get("VMLAB_DEBUG"):
            raise
        return complain(str(error))


def run(name: str, arguments: Sequence[str]) -> int:
    """Import one subcommand, read its arguments, and do it."""
    module_name, summary = COMMANDS[name]
    module = importlib.import_module(module_name)
    parser = argparse.ArgumentParser(prog=f"vmlab {name}", description=f"{summary[0].upper()}{summary[1:]}.")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments)))


def usage() -> str:
    """Return the table of subcommands."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    return f"usage: vmlab COMMAND [options]   (`vmlab COMMAND --help` tells its options)\n\n{rows}"


def complain(message: str, code: int = 2) -> int:
    """Print what went wrong in plain words and return the exit code for it."""
    print(f"vmlab: {message}", file=sys.stderr)
    return code
