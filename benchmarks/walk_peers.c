/* A loop around uc_vmem_translate of the unicorn package, so that no Python is between its calls. */
#include <stddef.h>
#include <stdint.h>

typedef int (*translate_t)(void *uc, uint64_t address, uint32_t prot, uint64_t *pa);

#define PROT_READ 1

/* How many of the addresses it could translate. */
size_t translate_all(translate_t translate, void *uc, const uint64_t *va, uint64_t *pa, size_t count)
{
	size_t good = 0;

	for (size_t n = 0; n < count; n++)
		good += translate(uc, va[n], PROT_READ, pa + n) == 0;
	return good;
}
