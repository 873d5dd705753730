/* The agent: /init of a guest that is recorded. It says on the console what its kernel says of memory, and
 * stops at known points, until the host says "go". It knows no page-table format: everything comes from /proc
 * and /sys, and stays independent of what the host reads out of RAM. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE 4096UL
#define CHILDREN 3

/* say.c: the console's protocol */
void say_open(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_begin(const char *name);
void say_end(const char *name);
void say_flush(void);
void say_drain(void);
void say_file(const char *name, const char *path);
void say_hex_file(const char *name, const char *path);
void say_tree(const char *name, const char *folder, int hex);
void hold(const char *format, ...) __attribute__((format(printf, 1, 2)));
int write_file(const char *path, const char *text);

/* boot.c: what the kernel says when it is up */
void say_boot(void);

/* pages.c: pagemap and page flags, as runs */
void say_pagemap(const char *name, pid_t pid);
void say_page_flags(const char *name);

/* children.c: processes that map things and do as they are told */
enum { AT_OWN = 0x400000, AT_SECOND = 0xf11000, AT_EVEN = 0xc00000, AT_WINDOWS = 0x60000000, WINDOW_PAGES = 1200 };
extern pid_t child[CHILDREN + 1];
void children_start(void);
int child_do(int number, char what); /* 'a' 'b' 'e' page out, 'r' read, 'w' write, 'k' touch many, 'f' fork */
void child_forked(void);             /* after 'f': the grandchild is child[CHILDREN] */
void child_spin(int number, int on);
void say_children(const char *stage, int count);
int child_has_words(int number, unsigned long va);

/* swap.c, trace.c */
void stage_swap(void);
void stage_trace(void);
