/*
 * Fill a matrix of N x N doubles, then sum it by rows or by columns: the same additions, in another order of pages.
 * One row is one page of 4 KiB. Recorded as matrix-rows and matrix-columns:
 *
 *	gcc -O1 -o matrix matrix.c
 *	vmlab trace matrix-rows -- ./matrix rows
 */
#include <stdio.h>
#include <string.h>

#define N 512

static double cell[N][N] __attribute__((aligned(4096)));

int main(int argc, char **argv)
{
	int by_rows = argc > 1 && !strcmp(argv[1], "rows");
	double sum = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			cell[i][j] = i ^ j;
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			sum += by_rows ? cell[i][j] : cell[j][i];
	printf("%g\n", sum);
	return 0;
}
