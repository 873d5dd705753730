/* Three processes that map the same addresses and do what they are told, one letter at a time. */
#include "agent.h"
#include <sys/mman.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define MAGIC 0x564d4c42u /* "VMLB": begins every page that was written, with pid, address and a tag */
#define BOTH (PROT_READ | PROT_WRITE)

enum {
	AT_ZERO = 0x1000000, AT_NONE = 0x1100000, AT_SHARED = 0x1200000, AT_COW = 0x1300000, AT_BROKEN = 0x1400000,
	AT_READ = 0x1500000, AT_EXEC = 0x1600000, AT_UNTOUCHED = 0x3000000, AT_HUGE = 0x40000000,
	AT_HIGH = 0x7f123000, AT_LOWER = 0x5f123000, /* below a split at 2 GiB the first would hit the stack */
};

struct shared {
	volatile int spin[CHILDREN + 1], result[CHILDREN + 1], grandchild;
};

pid_t child[CHILDREN + 1];
static struct shared *shared;
static int orders[CHILDREN + 1][2], answers[CHILDREN + 1][2];
static int has_huge_pages, started;

static void write_words(unsigned long va, uint32_t tag)
{
	uint32_t words[4] = {MAGIC, getpid(), va, tag};
	memcpy((void *)va, words, sizeof words);
}

static void map(unsigned long va, size_t length, int flags)
{
	if (mmap((void *)va, length, BOTH, MAP_FIXED | MAP_ANONYMOUS | flags, -1, 0) == MAP_FAILED)
		say("@@ERR mmap at=%lx errno=%d\n", va, errno), say_flush();
}

static void map_and_write(unsigned long va, uint32_t tag, int protection)
{
	map(va, PAGE, MAP_PRIVATE);
	write_words(va, tag);
	if (protection != BOTH)
		mprotect((void *)va, PAGE, protection);
}

static void set_up(int number)
{
	map_and_write(AT_OWN, 0x100 + number, BOTH);
	map_and_write(AT_SECOND, 0x200 + number, BOTH);
	map(AT_EVEN, 16 * PAGE, MAP_PRIVATE);
	for (int page = 0; page < 16; page += 2)
		write_words(AT_EVEN + page * PAGE, 0x300 + page);
	map(AT_ZERO, PAGE, MAP_PRIVATE);
	shared->result[number] = *(volatile int *)AT_ZERO;   /* a read fault: the zero page */
	shared->result[number] = *(volatile int *)AT_SHARED; /* fork does not copy shared entries */
	shared->result[number] = *(volatile int *)AT_COW;
	shared->result[number] = *(volatile int *)AT_BROKEN;
	map_and_write(AT_NONE, 0x400 + number, PROT_NONE);
	map_and_write(AT_READ, 0x500 + number, PROT_READ);
	map_and_write(AT_EXEC, 0x600 + number, PROT_READ | PROT_EXEC);
	map(AT_UNTOUCHED, 4 * PAGE, MAP_PRIVATE);
	map_and_write((unsigned long)&number < 0x80000000UL ? AT_LOWER : AT_HIGH, 0x700 + number, BOTH);
	if (number == 1)
		write_words(AT_BROKEN, 0x800 + number); /* this one's copy-on-write is broken */
	if (sizeof(void *) == 8)
		map_and_write((unsigned long)0x7e1234567000ULL, 0x900 + number, BOTH);
	if (has_huge_pages) {
		map(AT_HUGE, 8 << 20, MAP_PRIVATE); /* holds one aligned huge page of 2 or 4 MiB */
		madvise((void *)AT_HUGE, 8 << 20, MADV_HUGEPAGE);
		write_words(AT_HUGE, 0xa00 + number);
	}
}

static int page_out(unsigned long va, size_t pages)
{
	return madvise((void *)va, pages * PAGE, MADV_PAGEOUT) ? -errno : 0;
}

static void touch_many(void)
{
	map(AT_WINDOWS, WINDOW_PAGES * PAGE, MAP_PRIVATE);
	madvise((void *)AT_WINDOWS, WINDOW_PAGES * PAGE, MADV_NOHUGEPAGE);
	for (unsigned long page = 0; page < WINDOW_PAGES; page++)
		write_words(AT_WINDOWS + page * PAGE, 0xc00);
}

static void serve(int number);

static void fork_one(void)
{
	if (fork())
		return;
	shared->grandchild = getpid();
	if (write(answers[CHILDREN][1], "x", 1) == 1)
		serve(CHILDREN);
	_exit(0);
}

static void serve(int number)
{
	char what;
	while (read(orders[number][0], &what, 1) == 1) {
		int result = 0;
		switch (what) {
		case 's':
			while (shared->spin[number])
				;
			break;
		case 'a': result = page_out(AT_OWN, 1); break;
		case 'b': result = page_out(AT_SECOND, 1); break;
		case 'e': result = page_out(AT_EVEN, 16); break;
		case 'r': result = *(volatile uint32_t *)AT_OWN == MAGIC; break;
		case 'w': write_words(AT_OWN, 0xb00 + number); break;
		case 'k': touch_many(); break;
		case 'f': fork_one(); break;
		}
		shared->result[number] = result;
		if (write(answers[number][1], "x", 1) != 1)
			_exit(1);
	}
}

int child_do(int number, char what)
{
	if (write(orders[number][1], &what, 1) != 1 || read(answers[number][0], &what, 1) != 1)
		return -EPIPE;
	return shared->result[number];
}

void child_forked(void)
{
	char answer;
	if (read(answers[CHILDREN][0], &answer, 1) != 1)
		say("@@ERR no grandchild\n");
	child[CHILDREN] = shared->grandchild;
}

void child_spin(int number, int on)
{
	char letter = 's';
	shared->spin[number] = on;
	ssize_t done = on ? write(orders[number][1], &letter, 1) : read(answers[number][0], &letter, 1);
	if (done != 1)
		say("@@ERR spin child=%d\n", number);
}

/* Through /proc/PID/mem, for which kernels before 6.4 make a kmap window of a HighMem page. */
int child_has_words(int number, unsigned long va)
{
	char path[64];
	uint32_t words[4] = {0};
	snprintf(path, sizeof path, "/proc/%d/mem", child[number]);
	int memory = open(path, O_RDONLY);
	ssize_t got = memory < 0 ? -1 : pread(memory, words, sizeof words, (off_t)va);
	if (memory >= 0)
		close(memory);
	return got == sizeof words && words[0] == MAGIC && words[2] == (uint32_t)va;
}

static void say_process(const char *stage, const char *who, pid_t pid)
{
	char name[96], path[96];
	snprintf(name, sizeof name, "%s/%s/pid", stage, who);
	say_begin(name), say("%d", pid), say_end(name);
	snprintf(name, sizeof name, "%s/%s/maps", stage, who);
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	say_file(name, path);
	snprintf(name, sizeof name, "%s/%s/pagemap", stage, who);
	say_pagemap(name, pid);
}

void say_children(const char *stage, int count)
{
	char name[96], who[16];
	for (int number = 0; number < count; number++) {
		snprintf(who, sizeof who, "p%d", number);
		say_process(stage, who, child[number]);
	}
	if (!strcmp(stage, "xlate"))
		say_process(stage, "init", getpid());
	snprintf(name, sizeof name, "%s/swaps", stage);
	say_file(name, "/proc/swaps");
}

void children_start(void)
{
	char enabled[256] = "", answer;
	int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	if (started++)
		return;
	if (file >= 0) {
		has_huge_pages = read(file, enabled, sizeof enabled - 1) > 0 && !strstr(enabled, "[never]");
		close(file);
	}
	shared = mmap(NULL, PAGE, BOTH, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	map(AT_SHARED, PAGE, MAP_SHARED), write_words(AT_SHARED, 0xd00);
	map_and_write(AT_COW, 0xd01, BOTH);
	map_and_write(AT_BROKEN, 0xd02, BOTH);
	for (int number = 0; number <= CHILDREN; number++)
		if (pipe(orders[number]) || pipe(answers[number]))
			say("@@ERR pipe\n");
	for (int number = 0; number < CHILDREN; number++) {
		child[number] = fork();
		if (!child[number]) {
			set_up(number);
			if (write(answers[number][1], "x", 1) == 1)
				serve(number);
			_exit(0);
		}
		if (read(answers[number][0], &answer, 1) != 1)
			say("@@ERR child=%d\n", number);
	}
}
