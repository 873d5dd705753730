"""A question of lesson 06 about refusals: a recorded PC is asked for large blocks until it says no."""

from __future__ import annotations

from functools import cache

from ...kernel import Kernel, boot
from ...physical.zonelist import NoPage
from ...record import load_machine
from ..question import Facts, Misconception, Question, always

PC, ORDER = "amd64-pc-1g", 10


@cache
def refused() -> tuple[Kernel, NoPage, int]:
    """The PC after it said no, what it said, and how many blocks it gave before."""
    kernel, blocks = boot(load_machine(PC)), 0
    while not isinstance(page := kernel.alloc_pages(ORDER), NoPage):
        blocks += 1
    return kernel, page, blocks


def left() -> dict[str, int]:
    """Blocks of that order which the zones' free lists still hold after the refusal."""
    kernel = refused()[0]
    return {zone.name: kernel.buddy.nr_free(zone)[ORDER] for zone in kernel.zones if zone.populated}


def rows() -> list[tuple[object, ...]]:
    """What each zone that was tried had, and why it said no."""
    kernel, page, _ = refused()
    found: list[tuple[object, ...]] = []
    for refusal in page.refusals:
        zone = kernel.zones[refusal.zone]
        found.append((zone.name, kernel.buddy.free_pages(zone), left()[zone.name], refusal.why))
    return found


COLUMNS = ("zone", "free pages", f"free blocks of order {ORDER}", "why it says no")


def _facts(_: object) -> Facts:
    return {"machine": PC, "order": ORDER, "left": left()}


def _answer(left: dict[str, int], **_: object) -> str:
    has = [name for name, blocks in left.items() if blocks]
    return "both" if len(has) > 1 else {"DMA": "dma", "DMA32": "dma32"}[has[0]] if has else "none"


REFUSED = Question(
    id="06.refused",
    ask="The recorded PC {machine} has two zones, DMA and DMA32. Blocks of order {order} are asked for with GFP_KERNEL "
    "until the answer is no. Which free lists of that order still have blocks then?",
    facts=_facts,
    choices=lambda **_: {
        "none": "none: the last block has been handed out",
        "dma": "those of DMA only",
        "dma32": "those of DMA32 only",
        "both": "those of both zones",
    },
    answer=_answer,
    misconceptions=(
        Misconception(
            "a request fails only when nothing is left",
            always("none"),
            "What would then be left for a request that may not wait, such as an interrupt's?",
        ),
        Misconception(
            "a zone is emptied before the next one is asked, and only the lower one is protected",
            always("dma"),
            "What is the watermark of DMA32 for?",
        ),
        Misconception(
            "the lowest zone is used up first", always("dma32"), "At which end of the zonelist does a request begin?"
        ),
    ),
    because="each zone keeps its min watermark, and DMA keeps lowmem_reserve as well from requests that could have "
    "been served higher up (Linux 6.1, mm/page_alloc.c:__zone_watermark_ok).",
)
