/* The stages, in order; vmlab.stages=boot,xlate,kmap,swap,trace on the kernel's command line chooses. */
#include "agent.h"
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>

static void read_text(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int file = open(path, O_RDONLY);
	while (file >= 0 && length < size - 1 && (got = read(file, text + length, size - 1 - length)) > 0)
		length += got;
	text[length] = 0;
	if (file >= 0)
		close(file);
}

static void stage_translation(void)
{
	children_start();
	say_children("xlate", CHILDREN);
	hold("xlate n=%d p0=%d p1=%d p2=%d", CHILDREN, child[0], child[1], child[2]);
	for (int number = 0; number < CHILDREN; number++) {
		child_spin(number, 1);
		hold("spin i=%d pid=%d", number, child[number]);
		child_spin(number, 0);
	}
}

static int read_windows(int first, int end)
{
	int bad = 0;
	for (int page = first; page < end; page++)
		bad += !child_has_words(0, AT_WINDOWS + page * PAGE);
	return bad;
}

static void stage_windows(void)
{
	static char zones[1 << 15];
	read_text("/proc/zoneinfo", zones, sizeof zones);
	if (!strstr(zones, "HighMem"))
		return;
	children_start();
	child_do(0, 'k');
	hold("kmap0 pid=%d", child[0]);
	int bad = read_windows(0, 24);
	say_children("kmap1", 1);
	hold("kmap1 pid=%d first=0 count=24 bad=%d", child[0], bad);
	bad += read_windows(24, WINDOW_PAGES);
	say_children("kmap2", 1);
	hold("kmap2 pid=%d first=24 count=%d bad=%d", child[0], WINDOW_PAGES - 24, bad);
}

int main(void)
{
	char words[4096], stages[128] = "boot,xlate,kmap,swap", *given;
	static const char *const MOUNTS[][2] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"},
		{"debugfs", "/sys/kernel/debug"}, {"tracefs", "/sys/kernel/tracing"},
	};
	for (size_t i = 0; i < sizeof MOUNTS / sizeof *MOUNTS; i++) {
		mkdir(MOUNTS[i][1], 0755);
		mount(MOUNTS[i][0], MOUNTS[i][1], MOUNTS[i][0], 0, NULL);
	}
	klogctl(8, NULL, 1); /* SYSLOG_ACTION_CONSOLE_LEVEL: only emergencies on our console */
	say_open();
	write_file("/proc/sys/kernel/kptr_restrict", "1"); /* real addresses for root */
	read_text("/proc/cmdline", words, sizeof words);
	if ((given = strstr(words, "vmlab.stages=")))
		sscanf(given, "vmlab.stages=%127s", stages);
	say("\n@@HELLO %s\n", stages), say_flush();
	if (strstr(stages, "trace"))
		stage_trace();
	if (strstr(stages, "boot"))
		say_boot();
	if (strstr(stages, "xlate"))
		stage_translation();
	if (strstr(stages, "kmap"))
		stage_windows();
	if (strstr(stages, "swap"))
		stage_swap();
	say("\n@@BYE\n"), say_flush();
	say_drain(); /* or power goes before the console's last bytes */
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
