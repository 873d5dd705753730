/*
 * The same TLB in C: sets in order of use, entries as in vmlab/virtual/tlb_kernels.py, references and misses
 * counted for each ASID. Built on the spot with gcc -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

#define CONTEXTS 65536

static inline int look(uint64_t *set, size_t ways, uint64_t tag)
{
	size_t way = 0;

	while (way < ways && set[way] != tag)
		way++;
	int hit = way < ways;
	if (!hit)
		way = ways - 1;
	for (; way > 0; way--)
		set[way] = set[way - 1];
	set[0] = tag;
	return hit;
}

static inline uint64_t tag_of(uint64_t vpn, uint64_t asid)
{
	return (vpn << 1 | 1) << 17 | asid;
}

/* One level; its shape is known only when it runs. */
void tlb_one(uint64_t *tags, size_t sets, size_t ways, const uint64_t *vpn, const uint16_t *asid, size_t n,
	     uint64_t *refs, uint64_t *misses)
{
	for (size_t i = 0; i < n; i++) {
		refs[asid[i]]++;
		if (!look(tags + (vpn[i] & (sets - 1)) * ways, ways, tag_of(vpn[i], asid[i])))
			misses[asid[i]]++;
	}
}

/* Two levels, 16 sets of 4 and 128 sets of 12, known to the compiler. */
void tlb_two(uint64_t *tags, const uint64_t *vpn, const uint16_t *asid, size_t n, uint64_t *refs, uint64_t *misses)
{
	uint64_t *second = tags + 16 * 4;

	for (size_t i = 0; i < n; i++) {
		uint64_t tag = tag_of(vpn[i], asid[i]);

		refs[asid[i]]++;
		if (!look(tags + (vpn[i] & 15) * 4, 4, tag)) {
			misses[asid[i]]++;
			if (!look(second + (vpn[i] & 127) * 12, 12, tag))
				misses[CONTEXTS + asid[i]]++;
		}
	}
}
