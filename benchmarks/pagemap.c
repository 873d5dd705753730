/* /proc/self/pagemap in C: one pread loop, one decoding loop, and both for counting.  Compiled by pagemap.py. */
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define NUMBER ((UINT64_C(1) << 55) - 1)

/* Entries of `count` pages from page number `vpn` on; returns how many could be read. */
size_t read_entries(int fd, uint64_t vpn, uint64_t *words, size_t count)
{
	size_t done = 0, wanted = count * sizeof(*words);

	while (done < wanted) {
		ssize_t got = pread(fd, (char *)words + done, wanted - done, vpn * sizeof(*words) + done);
		if (got <= 0)
			break;
		done += got;
	}
	return done / sizeof(*words);
}

/* Frames, bits 63..55, and counts of: present, swapped, file or shared, exclusive, soft-dirty. */
void decode(const uint64_t *restrict words, uint64_t *restrict pfn, uint16_t *restrict flags, int64_t *restrict counts,
	    size_t count)
{
	uint64_t present = 0, swapped = 0, file = 0, exclusive = 0, dirty = 0;

	for (size_t n = 0; n < count; n++) {
		uint64_t word = words[n], here = word >> 63;

		pfn[n] = here ? word & NUMBER : 0;
		flags[n] = word >> 55;
		present += here;
		swapped += word >> 62 & 1;
		file += word >> 61 & 1;
		exclusive += word >> 56 & 1;
		dirty += word >> 55 & 1;
	}
	counts[0] = present;
	counts[1] = swapped;
	counts[2] = file;
	counts[3] = exclusive;
	counts[4] = dirty;
}

/* How many of the pages are present, read word by word. */
size_t count_present(int fd, uint64_t vpn, uint64_t *words, size_t count)
{
	size_t present = 0, got = read_entries(fd, vpn, words, count);

	for (size_t n = 0; n < got; n++)
		present += words[n] >> 63;
	return present;
}
