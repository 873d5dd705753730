/*
 * The same SLUB cache in C: one node, objects numbered slab << shift | index, 0 is none. What a new slab needs comes
 * from a stack of slabs that are ready, and each begins at a place of the random order that was drawn beforehand.
 * Built on the spot with gcc -O3 -march=native.
 */
#include <stddef.h>
#include <stdint.h>

struct slab {
	uint32_t freelist, inuse, objects, frozen, next, prev, node, unused;
};

struct cpu {
	uint32_t slab, freelist, partial, count;
};

struct cache {
	uint32_t *links;
	struct slab *slabs;
	struct cpu *cpus;
	const uint64_t *first;
	uint32_t *ready;
	const uint32_t *sequence, *starts;
	uint64_t nr_ready, start, shift, size, per_slab, cpu_partial, min_partial, nr_cpus;
	uint32_t head, tail, listed;
};

static inline void add(struct cache *c, uint32_t row)
{
	c->slabs[row].next = 0;
	c->slabs[row].prev = c->tail;
	if (c->tail)
		c->slabs[c->tail].next = row;
	else
		c->head = row;
	c->tail = row;
	c->listed++;
}

static inline void take_off(struct cache *c, uint32_t row)
{
	uint32_t next = c->slabs[row].next, prev = c->slabs[row].prev;

	if (prev)
		c->slabs[prev].next = next;
	else
		c->head = next;
	if (next)
		c->slabs[next].prev = prev;
	else
		c->tail = prev;
	c->listed--;
}

static inline void push(struct cache *c, struct cpu *cpu, uint32_t row)
{
	c->slabs[row].frozen = 1;
	c->slabs[row].next = cpu->partial;
	cpu->partial = row;
	cpu->count++;
}

static inline uint32_t pop(struct cache *c, struct cpu *cpu)
{
	uint32_t row = cpu->partial;

	if (row) {
		cpu->partial = c->slabs[row].next;
		cpu->count--;
	}
	return row;
}

static inline void unfreeze(struct cache *c, struct cpu *cpu)
{
	uint32_t row;

	while ((row = pop(c, cpu))) {
		c->slabs[row].frozen = 0;
		if (!c->slabs[row].inuse && c->listed >= c->min_partial)
			c->ready[c->nr_ready++] = row;
		else
			add(c, row);
	}
}

static inline void take(struct cache *c, struct cpu *cpu, uint32_t row)
{
	struct slab *slab = c->slabs + row;

	cpu->slab = row;
	cpu->freelist = slab->freelist;
	slab->freelist = 0;
	slab->inuse = slab->objects;
	slab->frozen = 1;
}

static inline uint32_t from_node(struct cache *c, struct cpu *cpu)
{
	uint32_t found = c->head, row;

	if (!found)
		return 0;
	take_off(c, found);
	for (uint64_t more = 0; more <= c->cpu_partial / 2 && (row = c->head); more++) {
		take_off(c, row);
		push(c, cpu, row);
	}
	return found;
}

static inline uint32_t new_slab(struct cache *c)
{
	uint32_t row = c->ready[--c->nr_ready], base = row << c->shift, last = 0;
	uint64_t number = c->starts[c->start++];

	for (uint64_t i = 0; i < c->per_slab; i++) {
		if (c->sequence[number] < c->slabs[row].objects) {
			uint32_t x = base + c->sequence[number];
			if (last)
				c->links[last] = x;
			else
				c->slabs[row].freelist = x;
			last = x;
		}
		if (++number == c->per_slab)
			number = 0;
	}
	c->links[last] = 0;
	return row;
}

/* 0: nothing is ready, or no place has been drawn. */
static inline int load(struct cache *c, struct cpu *cpu, uint64_t nr_starts)
{
	uint32_t row = cpu->slab ? cpu->slab : pop(c, cpu);

	for (; row; row = pop(c, cpu)) {
		if (c->slabs[row].freelist) {
			take(c, cpu, row);
			return 1;
		}
		c->slabs[row].frozen = 0;
		cpu->slab = 0;
	}
	row = from_node(c, cpu);
	if (!row) {
		if (!c->nr_ready || c->start == nr_starts)
			return 0;
		row = new_slab(c);
	}
	take(c, cpu, row);
	return 1;
}

static inline void free_slow(struct cache *c, struct cpu *cpu, uint32_t row, uint32_t x)
{
	struct slab *slab = c->slabs + row;
	uint32_t prior = slab->freelist;

	c->links[x] = prior;
	slab->freelist = x;
	slab->inuse--;
	if (slab->frozen)
		return;
	if (!prior) {
		if (cpu->count >= c->cpu_partial)
			unfreeze(c, cpu);
		push(c, cpu, row);
	} else if (!slab->inuse && c->listed >= c->min_partial) {
		take_off(c, row);
		c->ready[c->nr_ready++] = row;
	}
}

/* How many operations were done: all of them, or those before the first that cannot be. */
size_t run(struct cache *c, uint64_t nr_starts, const uint8_t *frees, const uint32_t *slots, const uint8_t *cpus,
	   size_t count, uint32_t *objects, size_t nr_slots, uint64_t *answers)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i] >= nr_slots || cpus[i] >= c->nr_cpus)
			return i;
		struct cpu *cpu = c->cpus + cpus[i];
		uint32_t x = objects[slots[i]];
		if (frees[i]) {
			if (x) {
				uint32_t row = x >> c->shift;
				objects[slots[i]] = 0;
				if (row == cpu->slab) {
					c->links[x] = cpu->freelist;
					cpu->freelist = x;
				} else {
					free_slow(c, cpu, row, x);
				}
			}
		} else {
			if (x)
				return i;
			if (!cpu->freelist && !load(c, cpu, nr_starts))
				return i;
			x = cpu->freelist;
			cpu->freelist = c->links[x];
			objects[slots[i]] = x;
		}
		answers[i] = c->first[x >> c->shift] + (x & ((1U << c->shift) - 1)) * c->size;
	}
	return count;
}
