"""A slow, obvious page walk, written from the manuals and sharing nothing with vmlab: no tables of bits, only ifs.

`walk(format_name, root, va, read)` returns (physical address or None, bytes of the page, may write, user may,
may not fetch), or None where the address has no translation at all. `read(pa)` gives the little-endian entry
at a byte address, or None where there is no memory.
"""

from __future__ import annotations


def field(value, high, low):
    return (value >> low) % (1 << (high - low + 1))


def walk(name, root, va, read):
    if name.startswith("x86"):
        return x86(name, root, va, read)
    if name == "arm-short":
        return arm_short(root, va, read)
    if name == "arm-lpae":
        return long_descriptors(root, va, read, 12, 32, [30, 21, 12], 40, {30, 21})
    if name.startswith("arm64"):
        _, granule, size = name.split("-")
        return aarch64(root, va, read, {"4k": 12, "16k": 14, "64k": 16}[granule], int(size))
    return riscv(name, root, va, read)


def x86(name, root, va, read):
    """Intel SDM volume 3, 4.3 (32-bit), 4.4 (PAE), 4.5 (4-level and 5-level)."""
    if name == "x86-32":
        shifts, entry_bytes, index_bits, va_bits = [22, 12], 4, 10, 32
    elif name == "x86-pae":
        shifts, entry_bytes, index_bits, va_bits = [30, 21, 12], 8, 9, 32
    else:
        va_bits = 48 if name == "x86-64-4" else 57
        shifts, entry_bytes, index_bits = [48, 39, 30, 21, 12][-(va_bits - 12) // 9 :], 8, 9
        shifts = [shift for shift in (48, 39, 30, 21, 12) if shift < va_bits]
    if va_bits == 32 and va >> 32:
        return None
    if va_bits != 32 and field(va, 63, va_bits - 1) not in (0, (1 << (65 - va_bits)) - 1):
        return None
    write, user, nx, table = True, True, False, root
    for shift in shifts:
        index = field(va, 31, 30) if (name == "x86-pae" and shift == 30) else field(va, shift + index_bits - 1, shift)
        entry = read(table + index * entry_bytes)
        if entry is None or entry % 2 == 0:
            return None
        is_pdpte = name == "x86-pae" and shift == 30
        large = field(entry, 7, 7) == 1 and shift != 12 and not is_pdpte
        if large and shift not in (21, 22, 30):
            return None  # PS is reserved in PML4E and PML5E
        if is_pdpte and (field(entry, 2, 1) or field(entry, 8, 6) or field(entry, 63, 52)):
            return None
        if name == "x86-pae" and field(entry, 62, 52):
            return None
        if not is_pdpte:
            write = write and field(entry, 1, 1) == 1
            user = user and field(entry, 2, 2) == 1
            nx = nx or (entry_bytes == 8 and field(entry, 63, 63) == 1)
        if large and shift == 22:
            if field(entry, 21, 21):
                return None
            return field(entry, 31, 22) * 2**22 + field(entry, 20, 13) * 2**32 + va % 2**22, 2**22, write, user, nx
        if large and field(entry, shift - 1, 13):
            return None
        frame = field(entry, 31, 12) if entry_bytes == 4 else field(entry, 51, 12)
        if large or shift == 12:
            size = 2**shift
            return frame * 4096 // size * size + va % size, size, write, user, nx
        table = frame * 4096
    raise AssertionError


def arm_short(root, va, read):
    """ARM ARM v7-A, B3.5.1: first-level and second-level descriptors."""
    if va >> 32:
        return None
    first = read(root + (va >> 20) * 4)
    if first is None or first % 4 == 0:
        return None
    if first % 4 == 1:
        second = read(field(first, 31, 10) * 1024 + field(va, 19, 12) * 4)
        if second is None or second % 4 == 0:
            return None
        ap = field(second, 9, 9), field(second, 5, 4)
        if second % 4 == 1:
            return field(second, 31, 16) * 2**16 + va % 2**16, 2**16, *arm_rights(*ap), field(second, 15, 15) == 1
        return field(second, 31, 12) * 2**12 + va % 2**12, 2**12, *arm_rights(*ap), second % 2 == 1
    rights = *arm_rights(field(first, 15, 15), field(first, 11, 10)), field(first, 4, 4) == 1
    if field(first, 18, 18):
        high = field(first, 23, 20) * 2**32 + field(first, 8, 5) * 2**36
        return high + field(first, 31, 24) * 2**24 + va % 2**24, 2**24, *rights
    return field(first, 31, 20) * 2**20 + va % 2**20, 2**20, *rights


def arm_rights(ap2, ap):
    return ap2 == 0 and ap in (1, 3), ap in (2, 3)


def aarch64(root, va, read, page, size):
    """ARM ARM, D8.3. `root` is (TTBR0, TTBR1)."""
    if field(va, 63, size) not in (0, (1 << (64 - size)) - 1):
        return None
    shifts = [
        shift for shift in (page + 4 * (page - 3), *(page + n * (page - 3) for n in (3, 2, 1, 0))) if shift < size
    ]
    blocks = {12: {21, 30}, 14: {25}, 16: {29}}[page]
    if size == 52:
        blocks = blocks | {12: {39}, 14: {36}, 16: {42}}[page]
    return long_descriptors(root[field(va, 55, 55)], va, read, page, size, shifts, 52 if size == 52 else 48, blocks)


def long_descriptors(root, va, read, page, size, shifts, pa_bits, blocks):
    if size == 32 and va >> 32:
        return None
    write, user, nx, table = True, True, False, root
    for shift in shifts:
        entry = read(table + field(va, min(shift + page - 4, size - 1), shift) * 8)
        if entry is None or entry % 2 == 0:
            return None
        kind = entry % 4
        if shift == page and kind == 1:
            return None
        if kind == 1 and shift not in blocks:
            return None
        leaf = shift == page or kind == 1
        low = shift if leaf else page
        out = field(entry, min(pa_bits, 48) - 1, low) * 2**low
        if pa_bits == 52 and page == 16:
            out += field(entry, 15, 12) * 2**48
        elif pa_bits == 52:
            out = field(entry, 49, low) * 2**low + field(entry, 9, 8) * 2**50
        if leaf:
            write = write and field(entry, 7, 7) == 0
            user = user and field(entry, 6, 6) == 1
            nx = nx or field(entry, 54, 54) == 1
            return out + va % 2**shift, 2**shift, write, user, nx
        write = write and field(entry, 62, 62) == 0
        user = user and field(entry, 61, 61) == 0
        nx = nx or field(entry, 60, 60) == 1
        table = out
    raise AssertionError


def riscv(name, root, va, read):
    """RISC-V privileged specification, 12.3.2: the algorithm's own steps and names."""
    levels, ptesize, step = {"sv32": (2, 4, 10), "sv39": (3, 8, 9), "sv48": (4, 8, 9), "sv57": (5, 8, 9)}[name]
    va_bits = 12 + levels * step
    if name == "sv32" and va >> 32:
        return None
    if name != "sv32" and field(va, 63, va_bits - 1) not in (0, (1 << (65 - va_bits)) - 1):
        return None
    a, i = root, levels - 1
    while True:
        pte = read(a + field(va, 12 + (i + 1) * step - 1, 12 + i * step) * ptesize)
        if pte is None:
            return None
        v, r, w, x, u = (field(pte, bit, bit) for bit in range(5))
        if v == 0 or (r == 0 and w == 1) or (ptesize == 8 and field(pte, 63, 54)):
            return None
        ppn = field(pte, 31, 10) if ptesize == 4 else field(pte, 53, 10)
        if r == 1 or x == 1:
            if ppn % 2 ** (i * step):
                return None  # misaligned superpage
            size = 2 ** (12 + i * step)
            return ppn * 4096 + va % size, size, w == 1, u == 1, x == 0
        if field(pte, 7, 6) or u:
            return None  # D, A and U are reserved where the entry points to a table
        i -= 1
        if i < 0:
            return None
        a = ppn * 4096
