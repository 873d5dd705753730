/*
 * The same translations in C: memory is one flat array, a frame's place is its number. Every check that our
 * walk makes is made here: canonical address, table inside memory, present, reserved bits, rights of all levels.
 * Built on the spot with gcc -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

#define PRESENT 1ULL
#define LARGE (1ULL << 7)
#define NO_EXECUTE (1ULL << 63)
#define FRAME 0x000ffffffffff000ULL
#define MISSED 1
#define NON_CANONICAL 2
#define GROUP 64

/* Outcome, depth, and what the mapping forbids: as vmlab/virtual/walk.py lays it out. */
static inline uint32_t mapped(uint64_t depth, uint64_t allowed, uint64_t forbidden)
{
	return depth << 8 | ((allowed & 6) ^ 6) << 15 | forbidden >> 63 << 18;
}

static inline uint64_t walk4(const uint64_t *memory, size_t words, uint64_t table, uint64_t va, uint32_t *status)
{
	uint64_t allowed = ~0ULL, forbidden = 0;

	if ((uint64_t)((int64_t)(va << 16) >> 16) != va) {
		*status = NON_CANONICAL;
		return 0;
	}
	for (int depth = 0; depth < 4; depth++) {
		int shift = 39 - 9 * depth;
		size_t place = (table >> 3) + (va >> shift & 511);
		if (place >= words)
			goto missed;
		uint64_t entry = memory[place];
		if (!(entry & PRESENT))
			goto missed;
		allowed &= entry;
		forbidden |= entry;
		if (depth == 3 || entry & LARGE) {
			uint64_t offset = (1ULL << shift) - 1;
			if (depth == 0 || (depth < 3 && entry & offset & ~0x1fffULL))
				goto missed;
			*status = mapped(depth, allowed, forbidden);
			return (entry & FRAME & ~offset) | (va & offset);
		}
		table = entry & FRAME;
		continue;
missed:
		*status = MISSED | depth << 8;
		return 0;
	}
	return 0;
}

void four_levels(const uint64_t *memory, size_t words, uint64_t root, const uint64_t *vas, uint64_t *pas,
		 uint32_t *status, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pas[i] = walk4(memory, words, root, vas[i], status + i);
}

/* The same with every entry asked for before it is needed: groups of addresses, one level at a time. */
void four_levels_ahead(const uint64_t *memory, size_t words, uint64_t root, const uint64_t *vas, uint64_t *pas,
		       uint32_t *status, size_t count)
{
	size_t places[GROUP];
	uint64_t allowed[GROUP], forbidden[GROUP];

	for (size_t start = 0; start < count; start += GROUP) {
		size_t group = count - start < GROUP ? count - start : GROUP;
		const uint64_t *va = vas + start;
		for (size_t i = 0; i < group; i++) {
			int good = (uint64_t)((int64_t)(va[i] << 16) >> 16) == va[i];
			size_t place = (root >> 3) + (va[i] >> 39 & 511);
			places[i] = place < words ? place : 0;
			allowed[i] = good && place < words ? ~0ULL : 0;
			forbidden[i] = 0;
			__builtin_prefetch(memory + places[i]);
		}
		for (int shift = 39; shift > 12; shift -= 9)
			for (size_t i = 0; i < group; i++) {
				uint64_t entry = memory[places[i]];
				size_t place = ((entry & FRAME) >> 3) + (va[i] >> (shift - 9) & 511);
				int good = !(entry & LARGE) && place < words;
				places[i] = place < words ? place : 0;
				allowed[i] &= good ? entry : 0;
				forbidden[i] |= entry;
				__builtin_prefetch(memory + places[i]);
			}
		for (size_t i = 0; i < group; i++) {
			uint64_t entry = memory[places[i]];
			allowed[i] &= entry;
			pas[start + i] = (entry & FRAME) | (va[i] & 4095);
			status[start + i] = mapped(3, allowed[i], forbidden[i] | entry);
		}
		for (size_t i = 0; i < group; i++)
			if (!(allowed[i] & PRESENT))
				pas[start + i] = walk4(memory, words, root, va[i], status + start + i);
	}
}

static inline uint64_t walk2(const uint32_t *memory, size_t words, uint64_t root, uint64_t va, uint32_t *status)
{
	size_t place = (root >> 2) + (va >> 22);

	if (va >> 32) {
		*status = NON_CANONICAL;
		return 0;
	}
	if (place >= words)
		goto missed;
	uint32_t upper = memory[place];
	if (!(upper & PRESENT))
		goto missed;
	if (upper & LARGE) {
		if (upper & 1U << 21)
			goto missed;
		*status = mapped(0, upper, 0);
		return (upper & 0xffc00000U) | (uint64_t)(upper >> 13 & 0xff) << 32 | (va & 0x3fffff);
	}
	place = ((upper & 0xfffff000U) >> 2) + (va >> 12 & 1023);
	if (place >= words)
		goto missed_below;
	uint32_t lower = memory[place];
	if (!(lower & PRESENT))
		goto missed_below;
	*status = mapped(1, upper & lower, 0);
	return (lower & 0xfffff000U) | (va & 4095);
missed:
	*status = MISSED;
	return 0;
missed_below:
	*status = MISSED | 1 << 8;
	return 0;
}

void two_levels(const uint32_t *memory, size_t words, uint64_t root, const uint64_t *vas, uint64_t *pas,
		uint32_t *status, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pas[i] = walk2(memory, words, root, vas[i], status + i);
}
