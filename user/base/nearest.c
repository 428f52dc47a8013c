#include "base/nearest.h"
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours,
 * the ways a key is mistyped. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_BYTES_MAX + 2];
    size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;
    size_t n = strlen(a), m = strlen(b), i, j;

    for (j = 0; j <= m; j++)
        above[j] = j;
    for (i = 1; i <= n; i++) {
        row[0] = i;
        for (j = 1; j <= m; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[m];
}

static bool is_abbreviation(const char *a, const char *b)
{
    size_t shorter = least(strlen(a), strlen(b));

    return shorter > 2 && strncmp(a, b, shorter) == 0;
}

/* A name that is mostly different is no help; an abbreviation is, and left out at the end is more
 * likely than mistyped. */
static bool is_near(const char *a, const char *b, size_t *apart)
{
    *apart = distance(a, b);
    if (!is_abbreviation(a, b))
        return 2 * *apart <= least(strlen(a), strlen(b)) + 1;
    *apart = (*apart + 1) / 2;
    return true;
}

struct nearest nearest_to(const char *name)
{
    return (struct nearest){name, NEAREST_BYTES_MAX};
}

bool nearest_offer(struct nearest *nearest, const char *known)
{
    size_t apart;

    if (strlen(nearest->name) > NEAREST_BYTES_MAX || strlen(known) > NEAREST_BYTES_MAX)
        return false;
    if (!is_near(nearest->name, known, &apart) || apart >= nearest->apart)
        return false;
    nearest->apart = apart;
    return true;
}
