/* The page allocator's trace events since boot (trace_event=kmem:... on the command line), as short lines:
 * the event's letter, the CPU, in what context (".": a task, "s": softirq, "h": hardirq; the third of the flags that
 * stand behind the CPU), then frame, order and the rest as the kernel printed them. Functions that the
 * function tracer saw (ftrace=function) are lines "N cpu name <-caller". */
#include "agent.h"

static const struct {
	const char *event, *letter;
} EVENTS[] = {
	{"mm_page_alloc:", "A"}, {"mm_page_free:", "F"}, {"mm_page_free_batched:", "B"},
	{"mm_page_alloc_zone_locked:", "L"}, {"mm_page_pcpu_drain:", "D"}, {"mm_page_alloc_extfrag:", "X"},
};

static void say_event(const char *line)
{
	for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++) {
		const char *found = strstr(line, EVENTS[i].event);
		const char *cpu = strchr(line, '[');
		if (!found)
			continue;
		/* "page=0x... " is an address that was hashed, or the frame again: leave it out */
		found += strlen(EVENTS[i].event);
		const char *pfn = strstr(found, "pfn=");
		const char *flags = cpu ? strchr(cpu, ']') : NULL;
		char context = flags && strlen(flags) > 4 ? flags[4] : '?';
		say("%s %d %c %s", EVENTS[i].letter, cpu ? atoi(cpu + 1) : 0, context, pfn ? pfn : found + 1);
		return;
	}
	const char *caller = strstr(line, " <-"), *name = caller, *cpu = strchr(line, '[');
	while (name && name > line && name[-1] != ' ')
		name--;
	if (name)
		say("N %d %s", cpu ? atoi(cpu + 1) : 0, name);
}

void stage_trace(void)
{
	static char line[1024];
	write_file("/sys/kernel/tracing/tracing_on", "0");
	hold("trace pid=%d", getpid()); /* at once: the host reads the free lists as they are now */
	FILE *trace = fopen("/sys/kernel/tracing/trace", "r");
	if (!trace) {
		say("@@ERR no tracefs\n");
		return;
	}
	say_begin("trace");
	while (fgets(line, sizeof line, trace))
		if (line[0] == '#')
			say("%s", line);
		else
			say_event(line);
	fclose(trace);
	say_end("trace");
	say_file("buddyinfo_at_trace", "/proc/buddyinfo");
	say_file("zoneinfo_at_trace", "/proc/zoneinfo");
}
