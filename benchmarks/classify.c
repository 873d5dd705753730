/*
 * The same search in C: 2^n stretches, ascending; no branch that an address decides.
 * Built on the spot with gcc -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

void classify(size_t size, size_t count, const uint64_t *starts, const uint32_t *rows, const uint64_t *offsets,
	      const uint64_t *vas, uint16_t *areas, uint8_t *logical, uint64_t *pas)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t va = vas[i];
		size_t at = 0;

		for (size_t step = size >> 1; step; step >>= 1)
			at += starts[at + step] <= va ? step : 0;
		uint32_t row = rows[at];
		areas[i] = row >> 2;
		logical[i] = row >> 1 & 1;
		pas[i] = row & 1 ? va - offsets[at] : UINT64_MAX;
	}
}
