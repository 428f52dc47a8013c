#include "service/baseline.h"
#include "model/histogram.h"
#include <math.h>

void traffic_add(struct traffic *ret, const struct traffic *a)
{
    fine_latency_add(&ret->latency, &a->latency);
    ret->calls += a->calls;
    ret->failed += a->failed;
}

void traffic_delta(struct traffic *ret, const struct traffic *now, const struct traffic *before)
{
    fine_latency_delta(&ret->latency, &now->latency, &before->latency);
    ret->calls = now->calls >= before->calls ? now->calls - before->calls : now->calls;
    ret->failed = now->failed >= before->failed ? now->failed - before->failed : now->failed;
}

void baseline_learn(struct baseline *b, const struct traffic *recent, uint64_t elapsed_ns)
{
    double kept = exp2(-(double)elapsed_ns / (double)BASELINE_HALF_LIFE_NS);

    b->calls = b->calls * kept + (double)recent->calls;
    b->failed = b->failed * kept + (double)recent->failed;
    b->sum_ns = b->sum_ns * kept + (double)recent->latency.sum_ns;
    b->answered *= kept;
    for (int i = 0; i < FINE_SLOT_COUNT; i++) {
        b->slots[i] = b->slots[i] * kept + (double)recent->latency.slots[i];
        b->answered += (double)recent->latency.slots[i];
    }
}

void baseline_of(struct baseline *ret, const struct traffic *t)
{
    *ret = (struct baseline){0};
    baseline_learn(ret, t, 0);
}

double baseline_failed_share(const struct baseline *b)
{
    return b->calls > 0 ? b->failed / b->calls : NAN;
}

double baseline_mean_ns(const struct baseline *b)
{
    return b->answered > 0 ? b->sum_ns / b->answered : NAN;
}

/* Of the last slot only the lower bound is known; it is taken to be as wide as that is high. */
static double slot_lower(int slot)
{
    return slot == 0 ? 0 : (double)fine_slot_upper_ns((__u32)slot - 1);
}

static double slot_upper(int slot)
{
    return slot == FINE_SLOT_COUNT - 1 ? 2 * slot_lower(slot)
                                       : (double)fine_slot_upper_ns((__u32)slot);
}

static int quantile_slot(const struct baseline *b, double q, double *ret_below)
{
    int slot = 0;

    *ret_below = 0;
    while (slot < FINE_SLOT_COUNT - 1 &&
           (b->slots[slot] <= 0 || *ret_below + b->slots[slot] < q * b->answered))
        *ret_below += b->slots[slot++];
    return slot;
}

double baseline_quantile_ns(const struct baseline *b, double q)
{
    double below, share;
    int slot;

    if (b->answered <= 0)
        return NAN;
    slot = quantile_slot(b, q, &below);
    share = b->slots[slot] > 0 ? (q * b->answered - below) / b->slots[slot] : 0;
    return slot_lower(slot) + fmax(0, fmin(1, share)) * (slot_upper(slot) - slot_lower(slot));
}

/* `difference` in standard deviations, less what its skewness would make of a normal one: the
 * inverse of the Cornish-Fisher expansion's first term. */
static double score(double difference, double variance, double third_moment)
{
    double a, z, inside;

    if (variance <= 0)
        return 0;
    z = difference / sqrt(variance);
    a = third_moment / pow(variance, 1.5) / 6;
    if (fabs(a) < 1e-6)
        return z;
    inside = 1 + 4 * a * (a + z);
    return inside > 0 ? (sqrt(inside) - 1) / (2 * a) : 0;
}

/* Of `hits` of `n` above `usual_hits` of `usual_n`. */
static double z_of_shares(double hits, double n, double usual_hits, double usual_n)
{
    double pooled, variance;

    if (n <= 0 || usual_n <= 0)
        return 0;
    pooled = (hits + usual_hits) / (n + usual_n);
    variance = pooled * (1 - pooled);
    return score(hits / n - usual_hits / usual_n, variance * (1 / n + 1 / usual_n),
                 variance * (1 - 2 * pooled) * (1 / (n * n) - 1 / (usual_n * usual_n)));
}

double baseline_z_failed(const struct baseline *usual, const struct baseline *recent)
{
    return z_of_shares(recent->failed, recent->calls, usual->failed, usual->calls);
}

/* Central moments, every call as if spread evenly over its slot. */
static void moments(const struct baseline *b, double *ret_variance, double *ret_third)
{
    double mean = 0, variance = 0, third = 0;

    for (int i = 0; i < FINE_SLOT_COUNT; i++)
        mean += b->slots[i] / b->answered * (slot_lower(i) + slot_upper(i)) / 2;
    for (int i = 0; i < FINE_SLOT_COUNT; i++) {
        double share = b->slots[i] / b->answered, width = slot_upper(i) - slot_lower(i);
        double off = (slot_lower(i) + slot_upper(i)) / 2 - mean, inside = width * width / 12;

        variance += share * (off * off + inside);
        third += share * off * (off * off + 3 * inside);
    }
    *ret_variance = variance;
    *ret_third = third;
}

double baseline_z_mean(const struct baseline *usual, const struct baseline *recent)
{
    double n = recent->answered, usual_n = usual->answered;
    double variance, third, usual_variance, usual_third;

    if (usual_n <= 0 || n <= 0)
        return 0;
    moments(recent, &variance, &third);
    moments(usual, &usual_variance, &usual_third);
    /* The few calls of a window do not show the tail that the many of the baseline do. */
    variance = fmax(variance, usual_variance);
    third = fmax(third, usual_third);
    return score(baseline_mean_ns(recent) - baseline_mean_ns(usual),
                 variance / n + usual_variance / usual_n,
                 third / (n * n) - usual_third / (usual_n * usual_n));
}

static double above(const struct baseline *b, int slot)
{
    double calls = 0;

    for (int i = slot + 1; i < FINE_SLOT_COUNT; i++)
        calls += b->slots[i];
    return calls;
}

double baseline_z_tail(const struct baseline *usual, const struct baseline *recent, double q)
{
    double below, z, z_lower;
    int slot;

    if (usual->answered <= 0 || recent->answered <= 0)
        return 0;
    slot = quantile_slot(usual, q, &below);
    z = z_of_shares(above(recent, slot), recent->answered, above(usual, slot), usual->answered);
    if (slot == 0)
        return z;
    z_lower = z_of_shares(above(recent, slot - 1), recent->answered, above(usual, slot - 1),
                          usual->answered);
    return fmax(z, z_lower);
}
