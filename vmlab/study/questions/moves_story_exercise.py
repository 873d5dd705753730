"""A question of lesson 12's exercise: the story of one page as a figure, and who said nothing."""

from __future__ import annotations

import functools
import random

from ...process.notify import Move, Watch
from ...process.process import Process
from ...units import PAGE_SIZE
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .swap import VA, a_memory
from .tlb_steps import apart

EVENTS = {  # word in the story: what happens
    "compaction": "compaction moves the page",
    "swap": "it goes to swap and is read back",
    "copy": "the program forks and writes to it first",
    "unmap": "the program unmaps it, maps anew and writes",
}
SHOWN = 8  # changes that one figure holds
TELLERS = ("soft-dirty", "PAGEMAP_SCAN", "userfaultfd")


@functools.lru_cache(maxsize=512)
def watched(story: str) -> tuple[Move, ...]:
    """All changes of a page, as they are heard."""
    memory = a_memory()
    process = Process(memory, "one")
    process.mmap(VA, 1)
    process.write(VA, b"x")
    watch = Watch(process, VA)
    for word in story.split(", "):
        pfn = process.page_table.pte(VA).pfn
        assert pfn is not None
        if word == "compaction":
            memory.migrate(pfn)
        elif word == "swap":
            memory.reclaim_pages([memory.page(pfn)])
            process.read(VA, 1)
        elif word == "copy":
            child = process.fork()
            process.write(VA, b"y")
            assert isinstance(child, Process)
            child.exit()
        else:
            process.munmap(VA, PAGE_SIZE)
            process.mmap(VA, 1)
            process.write(VA, b"z")
    return tuple(watch.moves)


def _a_story(rng: random.Random) -> Facts:
    while True:
        story = ", ".join(rng.choices(tuple(EVENTS), k=rng.randrange(4, 7)))
        if len(watched(story)) <= SHOWN:
            return {"story": story, "way": rng.choice(TELLERS)}


def _untold(story: str, way: str) -> int:
    return sum(move.is_stale and way not in move.heard for move in watched(story))


def _story_steps(story: str, way: str) -> Steps:
    moves = watched(story)
    bold = ", ".join(move.kind for move in moves if move.is_stale)
    silent = ", ".join(move.kind for move in moves if move.is_stale and way not in move.heard) or "none"
    return Steps.of(
        (
            Step("bold", "changes that make a remembered frame wrong", story, bold),
            Step("row", "of these, the ones without a mark", f"row {way}", silent),
            Step("count", "how many", "in that row", f"{_untold(story, way)}"),
        )
    )


READ = apart(
    Question(
        id="12.read",
        ask="The figure has all changes of a page in this story: {story}. ("
        + "; ".join(f"{word}: {words}" for word, words in EVENTS.items())
        + ".) Of the changes that make a remembered frame wrong, how many does {way} say nothing of?",
        facts=_a_story,
        answer=_untold,
        misconceptions=(
            Misconception("it tells of all that matters", always(0), "What does that way listen to: moves, or writes?"),
            Misconception(
                "it tells of nothing at all",
                lambda story, way: sum(move.is_stale for move in watched(story)),
                "Is its row empty?",
            ),
            Misconception(
                "every change makes a remembered frame wrong",
                lambda story, way: sum(way not in move.heard for move in watched(story)),
                "Which frame could you have remembered before a page is read back from swap?",
            ),
        ),
        hints=("Which columns have a bold edge?", "row: of those columns, count the ones where it has no mark."),
        steps=_story_steps,
        because="those changes have a bold edge, and no mark in the row of {way}.",
    )
)
