/*
 * The same vmalloc space in C: a tree of the largest free area below each node, lowest first, a guard page behind each
 * area, one flush for many freed ones. Built on the spot with gcc -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

#define NONE UINT64_MAX

struct space {
	uint64_t *sizes, *begins, *waiting, *flushed;
	uint64_t leaves, start, lazy_max, total;
	uint64_t nr_waiting, lazy, nr_flushed, most_flushed;
};

static inline void set(struct space *s, uint64_t page, uint64_t pages)
{
	uint64_t node = s->leaves + page;

	s->sizes[node] = pages;
	for (; node > 1; node >>= 1) {
		uint64_t other = s->sizes[node ^ 1];
		if (other > pages)
			pages = other;
		if (s->sizes[node >> 1] == pages)
			break;
		s->sizes[node >> 1] = pages;
	}
}

static inline void add(struct space *s, uint64_t start, uint64_t end)
{
	set(s, start, end - start);
	if (end < s->leaves)
		s->begins[end] = start + 1;
}

static inline uint64_t first(const struct space *s, uint64_t page, uint64_t pages)
{
	uint64_t node = s->leaves + page;

	if (page >= s->leaves)
		return NONE;
	while (s->sizes[node] < pages) {
		while (node & 1)
			node >>= 1;
		if (!node)
			return NONE;
		node++;
	}
	while (node < s->leaves) {
		node <<= 1;
		node += s->sizes[node] < pages;
	}
	return node - s->leaves;
}

static inline uint64_t lowest(const struct space *s, uint64_t pages, uint64_t align, uint64_t *found)
{
	if (s->sizes[1] < pages)
		return NONE;
	for (uint64_t free = first(s, 0, pages); free != NONE; free = first(s, free + 1, pages)) {
		uint64_t begin = ((s->start + free + align - 1) & ~(align - 1)) - s->start;
		if (begin + pages <= free + s->sizes[s->leaves + free]) {
			*found = free;
			return begin;
		}
	}
	return NONE;
}

static inline void give(struct space *s, uint64_t start, uint64_t end)
{
	if (end < s->leaves && s->sizes[s->leaves + end]) {
		uint64_t after = s->sizes[s->leaves + end];
		set(s, end, 0);
		end += after;
	}
	if (s->begins[start]) {
		uint64_t before = s->begins[start] - 1;
		s->begins[start] = 0;
		start = before;
	}
	add(s, start, end);
}

/* Returns 0 if there is no room to note the flush. */
static inline int purge(struct space *s)
{
	uint64_t low = NONE, high = 0;

	if (!s->nr_waiting)
		return 1;
	if (s->nr_flushed == s->most_flushed)
		return 0;
	for (uint64_t i = 0; i < s->nr_waiting; i++) {
		uint64_t start = s->waiting[2 * i], end = start + s->waiting[2 * i + 1];
		low = start < low ? start : low;
		high = end > high ? end : high;
		give(s, start, end);
	}
	s->flushed[2 * s->nr_flushed] = low;
	s->flushed[2 * s->nr_flushed++ + 1] = high;
	s->nr_waiting = s->lazy = 0;
	return 1;
}

static inline void cut(struct space *s, uint64_t free, uint64_t start, uint64_t end)
{
	uint64_t last = free + s->sizes[s->leaves + free];

	set(s, free, start - free);
	if (start > free)
		s->begins[start] = free + 1;
	if (last > end)
		add(s, end, last);
	else if (last < s->leaves)
		s->begins[last] = 0;
}

/* How many operations were done: all of them, or those before the first that cannot be. */
size_t run(struct space *s, const uint8_t *frees, const uint32_t *slots, const uint64_t *sizes, const uint64_t *aligns,
	   size_t count, uint64_t *held, size_t nr_slots, uint64_t *answers)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i] >= nr_slots)
			return i;
		uint64_t *area = held + 2 * (size_t)slots[i];
		answers[i] = 0;
		if (frees[i]) {
			if (!area[0])
				continue;
			answers[i] = (s->start + area[0] - 1) << 12;
			s->waiting[2 * s->nr_waiting] = area[0] - 1;
			s->waiting[2 * s->nr_waiting++ + 1] = area[1];
			s->lazy += area[1];
			area[0] = 0;
			if (s->lazy > s->lazy_max && !purge(s))
				return i;
			continue;
		}
		if (area[0])
			return i;
		uint64_t pages = ((sizes[i] + 4095) >> 12) + 1, align = aligns[i] >> 12 ? aligns[i] >> 12 : 1, free = 0;
		if (pages > s->total + 1)
			continue;
		uint64_t start = lowest(s, pages, align, &free);
		if (start == NONE) {
			if (!purge(s))
				return i;
			start = lowest(s, pages, align, &free);
			if (start == NONE)
				continue;
		}
		if (start + pages >= s->leaves)
			return i;
		cut(s, free, start, start + pages);
		area[0] = start + 1;
		area[1] = pages;
		answers[i] = (s->start + start) << 12;
	}
	return count;
}
