/* The console: buffered, raw, with files between markers. */
#include "agent.h"
#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <termios.h>

static int console = 1;
static char buffer[1 << 16];
static size_t used;

void say_open(void)
{
	struct termios raw;
	console = open("/dev/console", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = 1;
	if (tcgetattr(console, &raw))
		return;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(console, TCSANOW, &raw);
}

void say_flush(void)
{
	for (size_t done = 0; done < used;) {
		ssize_t now = write(console, buffer + done, used - done);
		if (now > 0)
			done += now;
		else if (errno != EINTR)
			break;
	}
	used = 0;
}

void say_drain(void)
{
	say_flush();
	tcdrain(console);
	usleep(100000);
}

static void put(const char *bytes, size_t count)
{
	while (count) {
		size_t part = sizeof buffer - used;
		if (part > count)
			part = count;
		memcpy(buffer + used, bytes, part);
		used += part, bytes += part, count -= part;
		if (used == sizeof buffer)
			say_flush();
	}
}

void say(const char *format, ...)
{
	char text[1024];
	va_list words;
	va_start(words, format);
	int length = vsnprintf(text, sizeof text, format, words);
	va_end(words);
	put(text, length < (int)sizeof text ? length : (int)sizeof text - 1);
}

void say_begin(const char *name) { say("\n@@BEGIN %s\n", name); }

void say_end(const char *name)
{
	say("\n@@END %s\n", name);
	say_flush();
}

static void say_bytes(const char *name, const char *path, int hex)
{
	static char block[1 << 15];
	int file = open(path, O_RDONLY);
	ssize_t count;
	if (file < 0)
		return;
	say_begin(name);
	while ((count = read(file, block, sizeof block)) > 0)
		if (!hex)
			put(block, count);
		else
			for (ssize_t i = 0; i < count; i++)
				say("%02x", (unsigned char)block[i]);
	close(file);
	say_end(name);
}

void say_file(const char *name, const char *path) { say_bytes(name, path, 0); }
void say_hex_file(const char *name, const char *path) { say_bytes(name, path, 1); }

void say_tree(const char *name, const char *folder, int hex)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	char path[512], below[512];
	struct stat about;
	if (!entries)
		return;
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		snprintf(below, sizeof below, "%s/%s", name, entry->d_name);
		if (lstat(path, &about))
			continue;
		if (S_ISDIR(about.st_mode))
			say_tree(below, path, hex);
		else if (S_ISREG(about.st_mode))
			say_bytes(below, path, hex);
	}
	closedir(entries);
}

void hold(const char *format, ...)
{
	char text[512], line[64], letter;
	size_t length = 0;
	va_list words;
	va_start(words, format);
	vsnprintf(text, sizeof text, format, words);
	va_end(words);
	say("\n@@HOLD %s\n", text);
	say_flush();
	for (;;) {
		if (read(console, &letter, 1) <= 0) {
			usleep(1000);
		} else if (letter != '\n' && letter != '\r') {
			if (length < sizeof line - 1)
				line[length++] = letter;
		} else {
			line[length] = 0;
			if (!strcmp(line, "go"))
				return;
			length = 0;
		}
	}
}

int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);
	if (file < 0)
		return -errno;
	int result = write(file, text, strlen(text)) < 0 ? -errno : 0;
	close(file);
	return result;
}
