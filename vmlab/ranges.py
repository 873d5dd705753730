"""Sets of addresses as sorted, disjoint, half-open ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from .units import PAGE_SIZE


@dataclass(slots=True)
class Ranges:
    """Disjoint half-open ranges, sorted; neighbours that touch are one range."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.starts, self.ends, strict=True))

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, start: int, end: int) -> None:
        """Include `start`..`end`; overlap is allowed and merged."""
        if start >= end:
            return
        first = bisect_left(self.ends, start)
        last = bisect_right(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last] = [start]
        self.ends[first:last] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take `start`..`end` out; what is not included is left as it is."""
        if start >= end:
            return
        first = bisect_right(self.ends, start)
        last = bisect_left(self.starts, end)
        kept = []
        for index in range(first, last):
            if self.starts[index] < start:
                kept.append((self.starts[index], start))
            if self.ends[index] > end:
                kept.append((end, self.ends[index]))
        self.starts[first:last] = [low for low, _ in kept]
        self.ends[first:last] = [high for _, high in kept]

    def gaps_down(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The stretches of `start`..`end` that are not included, highest first."""
        index = bisect_left(self.starts, end) - 1
        while index >= 0 and self.ends[index] > start:
            if self.ends[index] < end:
                yield self.ends[index], end
            end = min(end, self.starts[index])
            index -= 1
        if start < end:
            yield start, end

    def shared(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The stretches of `start`..`end` that are included, ascending."""
        for index in range(bisect_right(self.ends, start), bisect_left(self.starts, end)):
            yield max(start, self.starts[index]), min(end, self.ends[index])

    def holds(self, value: int) -> bool:
        """Whether `value` is included."""
        index = bisect_right(self.starts, value) - 1
        return index >= 0 and value < self.ends[index]

    def holding(self, pfn: int) -> int | None:
        """Start of a range that has any byte of frame `pfn`, or None."""
        low, high = pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE
        index = bisect_right(self.ends, low)
        return self.starts[index] if index < len(self.starts) and self.starts[index] < high else None

    def total(self) -> int:
        """Bytes included."""
        return sum(self.ends) - sum(self.starts)
