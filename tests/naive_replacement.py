"""Slow, obvious replacement policies: lists and dictionaries, one function a policy; each returns who had to go.

`policy(trace, frames)` gives one entry for each miss: the victim, or None while a frame was free.
"""

from __future__ import annotations

from collections import deque


def fifo(trace, frames):
    memory, out = deque(), []
    for page in trace:
        if page not in memory:
            out.append(memory.popleft() if len(memory) == frames else None)
            memory.append(page)
    return out


def lru(trace, frames):
    memory, out = [], []
    for page in trace:
        if page in memory:
            memory.remove(page)
        else:
            out.append(memory.pop(0) if len(memory) == frames else None)
        memory.append(page)
    return out


def clock(trace, frames):
    """Second chance: a queue; what is referenced goes to its end with the bit cleared."""
    queue, bits, out = deque(), {}, []
    for page in trace:
        if page not in bits:
            victim = None
            if len(queue) == frames:
                while bits[queue[0]]:
                    bits[queue[0]] = False
                    queue.rotate(-1)
                victim = queue.popleft()
                del bits[victim]
            queue.append(page)
            out.append(victim)
        bits[page] = True
    return out


def random(trace, frames):
    memory, out, state, mask = [], [], 88172645463325252, (1 << 64) - 1
    for page in trace:
        if page in memory:
            continue
        if len(memory) < frames:
            memory.append(page)
            out.append(None)
            continue
        state ^= state >> 12
        state ^= state << 25 & mask
        state ^= state >> 27
        at = ((state * 0x2545F4914F6CDD1D & mask) >> 32) % frames
        out.append(memory[at])
        memory[at] = page
    return out


def lfu(trace, frames):
    uses, out = {}, []  # in the order of loading
    for page in trace:
        if page in uses:
            uses[page] += 1
            continue
        victim = min(uses, key=uses.get) if len(uses) == frames else None
        uses.pop(victim, None)
        uses[page] = 1
        out.append(victim)
    return out


def opt(trace, frames):
    memory, out = [], []

    def next_use(page, now):
        return trace.index(page, now) if page in trace[now:] else len(trace)

    for now, page in enumerate(trace):
        if page in memory:
            continue
        victim = max(memory, key=lambda each: next_use(each, now)) if len(memory) == frames else None
        if victim is not None:
            memory.remove(victim)
        memory.append(page)
        out.append(victim)
    return out


def two_queues(trace, frames):
    a1in, am, a1out, out = [], [], [], []  # newest first
    kin, kout = max(1, frames // 4), max(1, frames // 2)
    for page in trace:
        if page in a1in:
            continue
        if page in am:
            am.remove(page)
            am.insert(0, page)
            continue
        known, victim = page in a1out, None
        if len(a1in) + len(am) == frames:
            if len(a1in) > kin or not am:
                victim = a1in.pop()
                a1out.insert(0, victim)
                del a1out[kout:]
            else:
                victim = am.pop()
        if page in a1out:
            a1out.remove(page)
        (am if known else a1in).insert(0, page)
        out.append(victim)
    return out


def arc(trace, c):
    """Figure 4 of the paper, line by line."""
    t1, t2, b1, b2, p, out = [], [], [], [], 0.0, []  # newest first

    def replace(x):
        if t1 and (len(t1) > p or (x in b2 and len(t1) == int(p))):
            b1.insert(0, t1.pop())
            return b1[0]
        b2.insert(0, t2.pop())
        return b2[0]

    for x in trace:
        if x in t1 or x in t2:
            (t1 if x in t1 else t2).remove(x)
            t2.insert(0, x)
        elif x in b1:
            p = min(c, p + max(1.0, len(b2) / len(b1)))
            out.append(replace(x))
            b1.remove(x)
            t2.insert(0, x)
        elif x in b2:
            p = max(0.0, p - max(1.0, len(b1) / len(b2)))
            out.append(replace(x))
            b2.remove(x)
            t2.insert(0, x)
        else:
            victim = None
            if len(t1) + len(b1) == c:
                if len(t1) < c:
                    b1.pop()
                    victim = replace(x)
                else:
                    victim = t1.pop()
            elif len(t1) + len(t2) + len(b1) + len(b2) >= c:
                if len(t1) + len(t2) + len(b1) + len(b2) == 2 * c:
                    b2.pop()
                victim = replace(x)
            t1.insert(0, x)
            out.append(victim)
    return out


def lirs(trace, frames):
    stack, queue, lir, out = [], [], set(), []  # stack: oldest first; queue: the next to go first
    most_lir = frames - max(1, frames // 100)

    def prune():
        while stack and stack[0] not in lir:
            stack.pop(0)

    def to_top(page):
        if page in stack:
            stack.remove(page)
        stack.append(page)

    def promote(page):
        to_top(page)
        lir.add(page)
        lir.remove(stack[0])
        queue.append(stack.pop(0))
        prune()

    for page in trace:
        if page in lir:
            to_top(page)
            prune()
        elif page in queue:
            queue.remove(page)
            if page in stack:
                promote(page)
            else:
                queue.append(page)
                to_top(page)
                prune()
        else:
            out.append(queue.pop(0) if len(lir) + len(queue) == frames else None)
            if len(lir) < most_lir:
                lir.add(page)
                to_top(page)
            elif page in stack:
                promote(page)
            else:
                to_top(page)
                queue.append(page)
                prune()
    return out


def sieve(trace, frames):
    queue, visited, hand, out = [], {}, None, []  # newest first; the hand is a page
    for page in trace:
        if page in visited:
            visited[page] = True
            continue
        victim = None
        if len(queue) == frames:
            at = queue.index(hand) if hand is not None else frames - 1
            while visited[queue[at]]:
                visited[queue[at]] = False
                at = at - 1 if at else frames - 1
            victim = queue.pop(at)
            hand = queue[at - 1] if at else None
            del visited[victim]
        queue.insert(0, page)
        visited[page] = False
        out.append(victim)
    return out


def s3fifo(trace, frames):
    small, main, ghost, used, out = [], [], [], {}, []  # newest first
    most_small = max(1, frames // 10)
    most_main = frames - most_small

    def evict_main():
        while True:
            page = main.pop()
            if not used[page]:
                del used[page]
                return page
            used[page] -= 1
            main.insert(0, page)

    def evict_small():
        victim = None
        while small:
            page = small.pop()
            if used[page] <= 1:
                del used[page]
                ghost.insert(0, page)
                del ghost[most_main:]
                return page
            used[page] = 0
            main.insert(0, page)
            if len(main) > most_main:
                victim = evict_main()
        return victim

    for page in trace:
        if page in used:
            used[page] = min(3, used[page] + 1)
            continue
        known, victim = page in ghost, None
        while len(used) >= frames:
            victim = evict_small() if len(small) >= most_small else evict_main()
        if page in ghost:
            ghost.remove(page)
        (main if known else small).insert(0, page)
        used[page] = 0
        out.append(victim)
    return out


def mglru(trace, frames):
    """Generations as dictionaries of lists by sequence number, newest first; `gen` is what the page's flags say."""
    high, low = 3, 0
    lists, gen, young, out = {seq: [] for seq in range(4)}, {}, set(), []
    for page in trace:
        if page in gen:
            young.add(page)
            continue
        victim = None
        while len(gen) == frames:
            sizes = [sum(1 for each in gen.values() if each == seq) for seq in (high, high - 2)]
            too_few = low + 2 > high
            uneven = low + 2 == high and (sizes[0] * 2 > len(gen) or sizes[1] * 4 < len(gen))
            if too_few or uneven:
                gen.update(dict.fromkeys(young, high))
                young.clear()
                high += 1
                lists[high] = []
            while not lists[low] and low + 2 <= high:
                low += 1
            if not lists[low]:
                continue
            old = lists[low].pop()
            if gen[old] == low and old in young:
                young.remove(old)
                gen[old] = high
            if gen[old] != low:
                lists[gen[old]].insert(0, old)
            else:
                victim = old
                del gen[old]
        gen[page] = high
        lists[high].insert(0, page)
        young.add(page)
        out.append(victim)
    return out
