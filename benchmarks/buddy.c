/* The yardstick for vmlab's buddy allocator: the same rules, as one would write them in C.
 *
 * An array of struct page with 32-bit links, list heads at its end, one byte a pageblock for its migratetype.
 * Every block is on its list from the start. run() takes the same arrays as vmlab.physical.pcp_kernels.run and gives
 * the same frames; buddy_cpu selects whether requests go through a per-CPU list. Only what the workloads need:
 * one zone, ordinary migratetypes, one CPU, no huge pages on the per-CPU lists, no stealing between types.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

enum { MAX_ORDER = 11, PAGEBLOCK = 9, TYPES = 6, PCPTYPES = 3, COSTLY = 3, LISTS = PCPTYPES * (COSTLY + 1) };
enum { UNKNOWN, FREE, USED, ON_PCP };

struct page { u32 next, prev, what, count; };  /* what: kind << 8 | migratetype << 4 | order */

static inline u32 what(u32 kind, u32 order, u32 mt) { return kind << 8 | mt << 4 | order; }

struct buddy {
    struct page *page;
    u8 *types;
    u32 frames;
    u64 free_pages;
    u32 count, high, batch, factor;
    u64 nr_free[MAX_ORDER * TYPES];
};

static inline u32 head(const struct buddy *b, u32 order, u32 mt) { return b->frames + order * TYPES + mt; }
static inline u32 pcp_head(const struct buddy *b, u32 order, u32 mt) {
    return b->frames + MAX_ORDER * TYPES + order * PCPTYPES + mt;
}

static inline void list_add(struct page *p, u32 before, u32 x) {
    u32 after = p[before].next;
    p[x].next = after;
    p[x].prev = before;
    p[after].prev = x;
    p[before].next = x;
}

static inline void list_del(struct page *p, u32 x) {
    u32 next = p[x].next, prev = p[x].prev;
    p[next].prev = prev;
    p[prev].next = next;
}

static inline void add(struct buddy *b, u32 x, u32 order, u32 mt, int tail) {
    struct page *p = b->page;
    u32 h = head(b, order, mt);
    list_add(p, tail ? p[h].prev : h, x);
    p[x].what = what(FREE, order, mt);
    b->nr_free[order * TYPES + mt]++;
}

static inline void del(struct buddy *b, u32 x) {
    u32 was = b->page[x].what;
    list_del(b->page, x);
    b->page[x].what = UNKNOWN;
    b->nr_free[(was & 15) * TYPES + (was >> 4 & 15)]--;
}

static inline int is_buddy(const struct buddy *b, u32 x, u32 order) {
    return (b->page[x].what & ~0xf0u) == what(FREE, order, 0);
}

static inline i64 rmqueue(struct buddy *b, u32 order, u32 mt) {
    for (u32 current = order; current < MAX_ORDER; current++) {
        u32 h = head(b, current, mt), x = b->page[h].next;
        if (x == h)
            continue;
        del(b, x);
        while (current > order) {
            current--;
            add(b, x + (1u << current), current, mt, 0);
        }
        b->free_pages -= 1u << order;
        return x;
    }
    return -1;
}

static inline void free_one(struct buddy *b, u32 x, u32 order, u32 mt) {
    int tail = 0;
    b->free_pages += 1u << order;
    b->page[x].what = UNKNOWN;
    while (order < MAX_ORDER - 1) {
        u32 other = x ^ (1u << order);
        if (!is_buddy(b, other, order))
            break;
        if (order >= PAGEBLOCK) {
            u32 type = b->types[other >> PAGEBLOCK];
            if (type != mt && (type >= PCPTYPES || mt >= PCPTYPES))
                break;
        }
        del(b, other);
        x &= other;
        order++;
    }
    if (order < MAX_ORDER - 2) {
        u32 pair = x & (x ^ (1u << order));
        tail = is_buddy(b, pair ^ (2u << order), order + 1);
    }
    add(b, x, order, mt, tail);
}

static void drain(struct buddy *b, u32 pages, u32 pindex) {
    struct page *p = b->page;
    i64 left = pages < b->count ? pages : b->count;
    while (left > 0) {
        u32 h = b->frames + MAX_ORDER * TYPES + pindex;
        while (left > 0 && p[h].prev != h) {
            u32 x = p[h].prev, order = p[x].what & 15;
            list_del(p, x);
            left -= 1u << order;
            b->count -= 1u << order;
            free_one(b, x, order, p[x].what >> 4 & 15);
        }
        pindex = pindex + 1 == LISTS ? 0 : pindex + 1;
    }
}

static inline i64 alloc(struct buddy *b, int cpu, u32 order, u32 mt) {
    struct page *p = b->page;
    i64 x;
    if (cpu && order <= COSTLY) {
        u32 h = pcp_head(b, order, mt);
        b->factor >>= 1;
        if (p[h].next == h) {
            u32 batch = b->batch >> order;
            for (u32 i = 0; i < (batch > 2 ? batch : 2); i++) {
                if ((x = rmqueue(b, order, mt)) < 0)
                    break;
                list_add(p, p[h].prev, x);
                p[x].what = what(ON_PCP, order, b->types[x >> PAGEBLOCK]);
                b->count += 1u << order;
            }
            if (p[h].next == h)
                return -1;
        }
        x = p[h].next;
        list_del(p, x);
        b->count -= 1u << order;
    } else if ((x = rmqueue(b, order, mt)) < 0)
        return -1;
    p[x].what = what(USED, order, mt);
    return x;
}

static inline void release(struct buddy *b, int cpu, u32 x) {
    struct page *p = b->page;
    u32 order = p[x].what & 15, mt = b->types[x >> PAGEBLOCK];
    if (!cpu || order > COSTLY) {
        free_one(b, x, order, mt);
        return;
    }
    list_add(p, pcp_head(b, order, mt), x);
    p[x].what = what(ON_PCP, order, mt);
    b->count += 1u << order;
    if (b->factor && order) { /* free_high: everything goes back */
        drain(b, b->count, order * PCPTYPES + mt);
    } else if (b->count >= b->high) {
        u32 most = b->high - b->batch, batch = b->batch << b->factor;
        if (batch < most && b->factor < 5)
            b->factor++;
        batch = batch > most ? most : batch;
        drain(b, batch > b->batch ? batch : b->batch, order * PCPTYPES + mt);
    }
}

struct buddy *buddy_new(u32 frames, u32 batch, u32 high) {
    u32 rows = frames + MAX_ORDER * TYPES + LISTS;
    struct buddy *b = calloc(1, sizeof *b);
    b->page = calloc(rows, sizeof *b->page);
    b->types = malloc((frames >> PAGEBLOCK) + 1);
    memset(b->types, 1, (frames >> PAGEBLOCK) + 1);
    b->frames = frames;
    b->free_pages = frames;
    b->batch = batch;
    b->high = high;
    for (u32 row = frames; row < rows; row++)
        b->page[row].next = b->page[row].prev = row;
    for (u32 x = 0; x < frames; x += 1u << (MAX_ORDER - 1)) {
        u32 h = head(b, MAX_ORDER - 1, 1);
        add(b, x, MAX_ORDER - 1, 1, b->page[h].prev != h);
    }
    return b;
}

void buddy_delete(struct buddy *b) {
    free(b->page);
    free(b->types);
    free(b);
}

u64 buddy_free_pages(const struct buddy *b) { return b->free_pages; }

void buddy_drain(struct buddy *b) { drain(b, b->count, 0); }

static inline i64 run(struct buddy *b, int cpu, i64 n, const u8 *ops, const u8 *orders, const u8 *types,
                      const u32 *slots, u64 *held, i64 *out) {
    i64 refused = 0;
    for (i64 i = 0; i < n; i++) {
        u64 *slot = held + slots[i];
        i64 x = (i64)*slot - 1;
        if (ops[i] == 0) {
            x = x >= 0 ? -2 : alloc(b, cpu, orders[i], types[i]);
            if (x >= -1)
                *slot = x + 1;
        } else if (x < 0) {
            x = -3;
        } else {
            *slot = 0;
            release(b, cpu, x);
        }
        out[i] = x;
        refused += x < 0;
    }
    return refused;
}

i64 buddy_run(struct buddy *b, i64 n, const u8 *ops, const u8 *orders, const u8 *types, const u32 *slots, u64 *held,
              i64 *out) {
    return run(b, 0, n, ops, orders, types, slots, held, out);
}

i64 buddy_run_cpu(struct buddy *b, i64 n, const u8 *ops, const u8 *orders, const u8 *types, const u32 *slots,
                  u64 *held, i64 *out) {
    return run(b, 1, n, ops, orders, types, slots, held, out);
}
