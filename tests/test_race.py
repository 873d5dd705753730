"""The poster's page list and buddy on one trace: where each wins."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab.physical.page_list import PageList
from vmlab.physical.race import Lane, Request, in_and_out, race, short_lived

MACHINE = vm.load_machine("arm-virt-armmp-1g").with_config(zone_dma=False)


def lanes(requests: list[Request], order: str = "LIFO") -> tuple[Lane, Lane]:
    machine = MACHINE.with_zone("NewMem", size=64 * vm.MiB, below="HighMem")
    one, other = vm.boot(machine), vm.boot(machine)
    return race(PageList(one, "NewMem", order=order, claim=True), other.buddy, other.zones["NewMem"], requests)


@pytest.mark.parametrize("order", ["LIFO", "FIFO"])
def test_for_single_pages_the_list_wins_every_request(order: str):
    mine, theirs = lanes(in_and_out(4096, kept=0.0), order)

    assert 4096 == mine.served == theirs.served == mine.given_back == theirs.given_back
    assert 8192 == mine.list_operations
    assert 1 == mine.most < theirs.most
    assert 16380 == theirs.list_operations, "twice as many, though most pages are cut from a small block nearby"


def test_what_buddy_pays_is_the_way_up_and_down_the_orders():
    _, theirs = lanes([Request(0), Request(0, None)])

    top = 11  # order 11, the highest of this kernel: 1 taken off, 11 halves put back; then 11 merges and 1 put back
    assert 2 * (top + 1) == theirs.list_operations
    assert top + 1 == theirs.most


def test_more_than_one_page_is_for_buddy_only():
    mine, theirs = lanes([Request(0, 3), Request(1), Request(2, 11)])

    assert (2, 1, 3) == (mine.cannot, mine.served, theirs.served)


def test_after_everything_came_back_buddy_has_its_blocks_again():
    _, theirs = lanes(in_and_out(16384, kept=0.0))
    fresh = lanes([])[1]

    assert fresh.nr_free(12) == theirs.nr_free(12)


def test_with_a_few_pages_kept_memory_is_broken_for_both():
    """Random frames kept are random frames kept: buddy cannot merge around them either, it only knows what is left."""
    mine, theirs = lanes(in_and_out(16384, kept=0.02))

    assert 0 == mine.unusable(0, 12) == theirs.unusable(0, 12)
    assert mine.unusable(9, 12) > 900
    assert theirs.unusable(9, 12) > 900


def test_buddy_keeps_short_lived_pages_together_where_a_fifo_list_walks_through_all_memory():
    """One page at a time, every hundredth kept: a FIFO list has spread the kept ones over the whole zone."""
    requests = short_lived(16000, 100)
    mine, theirs = lanes(requests, "FIFO")

    assert mine.unusable(9, 12) > 500 > theirs.unusable(9, 12)
    assert lanes(requests, "LIFO")[0].unusable(9, 12) < 100, "LIFO reuses the same frame: here it is as good"


def test_a_slot_that_is_in_use_is_refused():
    with pytest.raises(vm.VmlabError, match="slot 0 is in use"):
        lanes([Request(0), Request(0)])
    with pytest.raises(vm.VmlabError, match="slot: expected 0 or more"):
        lanes([Request(-1)])
