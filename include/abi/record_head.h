/* What every record begins with: for the headers that hold the records of a concern. All of them
 * are in abi/record.h. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef MOONWATCH_RECORD_HEAD_H
#define MOONWATCH_RECORD_HEAD_H

#include <linux/types.h>

#define COMM_BYTES 16

struct record_head {
    __u32 type; /* enum record_type */
    __u32 cpu;
    __u64 time_ns;
};

#endif
