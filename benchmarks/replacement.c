/*
 * The same replacement policies in C, on dense page numbers: the state is cleared by the caller. gcc -O3 -march=native.
 * Links are pairs of 32-bit page numbers, next and previous; lists have their heads from `pages` on.
 */
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

struct link { u32 next, prev; };

static inline void del(struct link *l, u32 x)
{
	l[l[x].prev].next = l[x].next;
	l[l[x].next].prev = l[x].prev;
}

static inline void add(struct link *l, u32 head, u32 x)
{
	u32 first = l[head].next;

	l[x] = (struct link){ first, head };
	l[first].prev = x;
	l[head].next = x;
}

i64 fifo(const u32 *trace, size_t n, u32 pages, u32 frames, struct link *l, u32 *slots, u8 *marks)
{
	u32 held = 0, hand = 0;
	i64 misses = 0;

	for (size_t i = 0; i < n; i++) {
		u32 x = trace[i];
		if (marks[x])
			continue;
		misses++;
		if (held == frames)
			marks[slots[hand]] = 0;
		else
			held++;
		slots[hand] = x;
		marks[x] = 1;
		if (++hand == frames)
			hand = 0;
	}
	return misses;
}

i64 clock_(const u32 *trace, size_t n, u32 pages, u32 frames, struct link *l, u32 *slots, u8 *marks)
{
	u32 held = 0, hand = 0;
	i64 misses = 0;

	for (size_t i = 0; i < n; i++) {
		u32 x = trace[i];
		if (!marks[x]) {
			misses++;
			if (held == frames) {
				while (marks[slots[hand]] == 2) {
					marks[slots[hand]] = 1;
					if (++hand == frames)
						hand = 0;
				}
				marks[slots[hand]] = 0;
			} else
				held++;
			slots[hand] = x;
			if (++hand == frames)
				hand = 0;
		}
		marks[x] = 2;
	}
	return misses;
}

i64 lru(const u32 *trace, size_t n, u32 pages, u32 frames, struct link *l, u32 *slots, u8 *marks)
{
	u32 held = 0, first = pages, last = pages;
	i64 misses = 0;

	for (size_t i = 0; i < n; i++) {
		if (i + 16 < n)
			__builtin_prefetch(&l[trace[i + 16]]);
		u32 x = trace[i];
		if (x == first)
			continue;
		if (marks[x]) {
			struct link at = l[x];
			l[at.prev].next = at.next;
			if (at.next != pages)
				l[at.next].prev = at.prev;
			else
				last = at.prev;
		} else {
			misses++;
			if (held == frames) {
				marks[last] = 0;
				last = l[last].prev;
				if (last != pages)
					l[last].next = pages;
				else
					first = pages;
			} else
				held++;
			marks[x] = 1;
		}
		l[x] = (struct link){ first, pages };
		if (first != pages)
			l[first].prev = x;
		else
			last = x;
		first = x;
	}
	return misses;
}

i64 sieve(const u32 *trace, size_t n, u32 pages, u32 frames, struct link *l, u32 *slots, u8 *marks)
{
	u32 held = 0, hand = pages;
	i64 misses = 0;

	for (size_t i = 0; i < n; i++) {
		u32 x = trace[i];
		if (marks[x]) {
			marks[x] = 2;
			continue;
		}
		misses++;
		if (held == frames) {
			if (hand == pages)
				hand = l[pages].prev;
			while (marks[hand] == 2) {
				marks[hand] = 1;
				hand = l[hand].prev;
				if (hand == pages)
					hand = l[pages].prev;
			}
			u32 gone = hand;
			hand = l[gone].prev;
			del(l, gone);
			marks[gone] = 0;
		} else
			held++;
		marks[x] = 1;
		add(l, pages, x);
	}
	return misses;
}

/* ARC: lists T1, T2, B1, B2; a mark is a page's list plus 1 */
struct arc { struct link *l; u8 *marks; u32 pages; i64 size[4]; };

static inline void leave(struct arc *a, u32 x) { del(a->l, x); a->size[a->marks[x] - 1]--; a->marks[x] = 0; }
static inline void enter(struct arc *a, u32 x, int k) { add(a->l, a->pages + k, x); a->size[k]++; a->marks[x] = k + 1; }
static inline u32 oldest(struct arc *a, int k) { return a->l[a->pages + k].prev; }
static inline void demote(struct arc *a, int from, int to) { u32 x = oldest(a, from); leave(a, x); enter(a, x, to); }

static inline void replace(struct arc *a, double p, int in_b2)
{
	if (a->size[0] > 0 && (a->size[0] > p || (in_b2 && a->size[0] == (i64)p)))
		demote(a, 0, 2);
	else
		demote(a, 1, 3);
}

i64 arc(const u32 *trace, size_t n, u32 pages, u32 frames, struct link *l, u32 *slots, u8 *marks)
{
	struct arc a = { l, marks, pages, { 0 } };
	i64 misses = 0, c = frames;
	double p = 0;

	for (size_t i = 0; i < n; i++) {
		u32 x = trace[i];
		u8 mark = marks[x];
		if (mark == 2) {
			del(l, x);
			add(l, pages + 1, x);
			continue;
		}
		if (mark == 1) {
			leave(&a, x);
			enter(&a, x, 1);
			continue;
		}
		misses++;
		i64 *s = a.size;
		if (mark == 3) {
			double d = s[3] > s[2] ? (double)s[3] / s[2] : 1;
			p = p + d > c ? c : p + d;
			replace(&a, p, 0);
			leave(&a, x);
			enter(&a, x, 1);
		} else if (mark == 4) {
			double d = s[2] > s[3] ? (double)s[2] / s[3] : 1;
			p = p - d < 0 ? 0 : p - d;
			replace(&a, p, 1);
			leave(&a, x);
			enter(&a, x, 1);
		} else {
			if (s[0] + s[2] == c) {
				if (s[0] < c) {
					leave(&a, oldest(&a, 2));
					replace(&a, p, 0);
				} else
					leave(&a, oldest(&a, 0));
			} else if (s[0] + s[1] + s[2] + s[3] >= c) {
				if (s[0] + s[1] + s[2] + s[3] == 2 * c)
					leave(&a, oldest(&a, 3));
				replace(&a, p, 0);
			}
			enter(&a, x, 0);
		}
	}
	return misses;
}

/* Stack distances of LRU: a Fenwick tree over all references, as it is usually written */
void lru_curve(const u32 *trace, size_t n, u32 pages, u32 *tree, i64 *last, i64 *histogram)
{
	i64 live = 0;

	for (size_t i = 0; i < n; i++) {
		u32 x = trace[i];
		i64 before = last[x];
		if (before) {
			u32 sum = 0;
			for (i64 j = before; j > 0; j &= j - 1)
				sum += tree[j];
			histogram[live - sum + 1]++;
			for (i64 j = before; j <= (i64)n; j += j & -j)
				tree[j]--;
		} else {
			histogram[0]++;
			live++;
		}
		for (i64 j = i + 1; j <= (i64)n; j += j & -j)
			tree[j]++;
		last[x] = i + 1;
	}
}
