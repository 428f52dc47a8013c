/* The slots of the histograms, and the quantiles read from them, against the values put in. */
#include "model/histogram.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct kind {
    __u32 count;
    __u32 (*slot_of)(__u64 ns);
    __u64 (*upper_ns)(__u32 slot);
    double width_max; /* of a slot, as a share of its lower bound */
};

static const struct kind kinds[] = {
    {SLOT_COUNT, slot_of_ns, slot_upper_ns, 1.0},
    {FINE_SLOT_COUNT, fine_slot_of_ns, fine_slot_upper_ns, 0.25},
};

static void every_bound_is_the_next_slots_first(void **state)
{
    for (size_t k = 0; k < 2; k++) {
        const struct kind *kind = &kinds[k];

        assert_int_equal(kind->slot_of(0), 0);
        for (__u32 slot = 0; slot + 1 < kind->count; slot++) {
            __u64 upper = kind->upper_ns(slot);

            assert_int_equal(kind->slot_of(upper - 1), slot);
            assert_int_equal(kind->slot_of(upper), slot + 1);
            if (slot + 2 < kind->count)
                assert_true((double)(kind->upper_ns(slot + 1) - upper) <=
                            kind->width_max * (double)upper);
        }
        assert_int_equal(kind->upper_ns(kind->count - 1), 0);
        assert_int_equal(kind->slot_of(UINT64_MAX), kind->count - 1);
        assert_int_equal(kind->upper_ns(kind->count - 2), 1ULL << 35);
    }
}

static int compare(const void *a, const void *b)
{
    __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

    return (x > y) - (x < y);
}

/* Exponential, log-uniform and a narrow peak: each quantile is close to that of the sorted values.
 */
static void fine_quantiles_are_within_a_tenth(void **state)
{
    enum { VALUES = 20000 };
    static __u64 values[VALUES];
    const double quantiles[] = {0.5, 0.9, 0.95, 0.99};

    srandom(7);
    for (int shape = 0; shape < 3; shape++) {
        struct fine_latency l = {0};

        for (int i = 0; i < VALUES; i++) {
            double u = ((double)random() + 1) / ((double)RAND_MAX + 2);

            values[i] = (__u64)(shape == 0   ? -log(u) * 3e6
                                : shape == 1 ? pow(10, 4 + 4 * u)
                                             : 7.1e6 * (1 + 0.03 * u));
            l.slots[fine_slot_of_ns(values[i])]++;
            l.count++;
            l.sum_ns += values[i];
        }
        qsort(values, VALUES, sizeof(*values), compare);
        for (int q = 0; q < 4; q++) {
            double truth = (double)values[(int)(quantiles[q] * VALUES)];
            struct reading read = fine_latency_quantile_ns(&l, quantiles[q]);

            assert_true(reading_known(read));
            assert_true(fabs(read.value / truth - 1) < 0.1);
        }
        assert_true(fine_latency_max_ns(&l).value >= (double)values[VALUES - 1]);
        assert_true(fine_latency_max_ns(&l).value <= 1.25 * (double)values[VALUES - 1]);
    }
}

static void nothing_counted_has_no_quantile(void **state)
{
    const struct fine_latency none = {0};
    struct reading read = fine_latency_quantile_ns(&none, 0.5);

    assert_false(reading_known(read));
    read = fine_latency_max_ns(&none);
    assert_false(reading_known(read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bound_is_the_next_slots_first),
        cmocka_unit_test(fine_quantiles_are_within_a_tenth),
        cmocka_unit_test(nothing_counted_has_no_quantile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
