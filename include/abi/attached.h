/* Map `attached_since`, array of __u64: when the programs that measure together were attached, or
 * attached again after they were shed; CLOCK_MONOTONIC nanoseconds. What they noted before says
 * nothing: the end of what began then may have gone unseen. Written by user space before they are
 * attached. */
#ifndef MOONWATCH_ATTACHED_H
#define MOONWATCH_ATTACHED_H

enum attached_word {
    ATTACHED_NONE, /* their programs keep no times; never written */
    ATTACHED_RUNQ,
    ATTACHED_RECLAIM_DIRECT,
    ATTACHED_RECLAIM_MEMCG,
    ATTACHED_BLKIO,
    ATTACHED_TCP,
    ATTACHED_COUNT,
};

#endif
