/* Numbers as text. /metrics holds thousands of them, so the usual ones never see printf. */
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 wide;

#define U64_DIGITS 20
/* 53 bits of mantissa times 10^22 (74 bits) is the largest product that fits 127 bits. With 22
 * decimals every double from 1e-6 up has its 17 significant digits, which always read back. */
#define DECIMALS_MAX 22
#define MANTISSA_BITS 52
#define SHIFT_MAX 120
#define INTEGERS_EXACT 9007199254740992.0 /* 2^53 */

/* Writes the digits so that they end at `end`; returns where they begin. */
static char *digits_before(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return end;
}

void text_add_u64(struct text *t, uint64_t v)
{
    char buffer[U64_DIGITS];
    char *begin = digits_before(buffer + sizeof(buffer), v);

    text_add_n(t, begin, (size_t)(buffer + sizeof(buffer) - begin));
}

static wide power_of_ten(unsigned k)
{
    static const uint64_t powers[] = {
        1ULL,       10ULL,       100ULL,       1000ULL,       10000ULL,       100000ULL,
        1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL, 100000000000ULL,
    };

    return k < 12 ? (wide)powers[k] : (wide)powers[k - 11] * powers[11];
}

/* A double as mantissa / 2^shift. */
struct fraction {
    uint64_t mantissa;
    unsigned shift;
    bool at_power_of_two; /* the gap to the next double below is half the gap above */
};

/* The integer nearest to v * 10^k, if that many decimals tell v from its neighbours: the error must
 * be less than half the gap to the neighbour, both sides scaled by 2^shift. */
static bool scaled(const struct fraction *f, unsigned k, uint64_t *ret)
{
    wide power = power_of_ten(k);
    wide product = f->mantissa * power;
    wide rounded = (product + ((wide)1 << (f->shift - 1))) >> f->shift;
    wide back = rounded << f->shift;
    bool below = back < product;
    wide error = below ? product - back : back - product;

    if (rounded > UINT64_MAX)
        return false;
    *ret = (uint64_t)rounded;
    return (below && f->at_power_of_two ? 4 : 2) * error < power;
}

/* The fewest decimals that read back to the value: works for k, then also for k + 1. */
static bool fewest_decimals(const struct fraction *f, unsigned *ret_k, uint64_t *ret_digits)
{
    unsigned low = 1, high = DECIMALS_MAX;
    uint64_t digits;
    bool found = false;

    /* v * 10^k has to fit 64 bits: a large v needs fewer decimals anyway. */
    while (high > 1 && f->mantissa * power_of_ten(high) >> f->shift > UINT64_MAX / 16)
        high--;
    while (low <= high) {
        unsigned middle = (low + high) / 2;

        if (scaled(f, middle, &digits)) {
            found = true;
            *ret_k = middle;
            *ret_digits = digits;
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    return found;
}

static void add_decimals(struct text *t, uint64_t digits, unsigned k)
{
    char buffer[U64_DIGITS + DECIMALS_MAX + 2];
    char *end = buffer + sizeof(buffer);
    char *begin = digits_before(end, digits);

    while ((unsigned)(end - begin) <= k)
        *--begin = '0';
    begin--;
    memmove(begin, begin + 1, (size_t)(end - begin) - 1 - k);
    end[-1 - (ptrdiff_t)k] = '.';
    text_add_n(t, begin, (size_t)(end - begin));
}

/* Very large and very small values: as many significant digits as it takes. */
static void add_rare(struct text *t, double v)
{
    char buffer[32];
    int precision;

    for (precision = 1; precision <= 17; precision++) {
        snprintf(buffer, sizeof(buffer), "%.*g", precision, v);
        if (strtod(buffer, NULL) == v)
            break;
    }
    text_add(t, buffer);
}

void text_add_double(struct text *t, double v)
{
    struct fraction f;
    uint64_t digits, bits;
    unsigned k, exponent;

    if (isnan(v)) {
        text_add_n(t, "NaN", 3);
        return;
    }
    if (signbit(v)) {
        text_add_char(t, '-');
        v = -v;
    } else if (isinf(v)) {
        text_add_char(t, '+');
    }
    if (isinf(v)) {
        text_add_n(t, "Inf", 3);
        return;
    }
    if (v < INTEGERS_EXACT && v == (double)(uint64_t)v) {
        text_add_u64(t, (uint64_t)v);
        return;
    }
    memcpy(&bits, &v, sizeof(bits));
    exponent = (unsigned)(bits >> MANTISSA_BITS); /* the sign bit is clear */
    f.mantissa = (bits & ((1ULL << MANTISSA_BITS) - 1)) | 1ULL << MANTISSA_BITS;
    f.at_power_of_two = f.mantissa == 1ULL << MANTISSA_BITS;
    /* The exponent's bias is 1023: v = mantissa / 2^(1075 - exponent). */
    if (v < INTEGERS_EXACT && exponent >= 1075 - SHIFT_MAX) {
        f.shift = 1075 - exponent;
        if (fewest_decimals(&f, &k, &digits)) {
            add_decimals(t, digits, k);
            return;
        }
    }
    add_rare(t, v);
}
