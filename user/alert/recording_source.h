/* Where the text of a recording comes from. Inside this layer only. */
#ifndef MOONWATCH_ALERT_RECORDING_SOURCE_H
#define MOONWATCH_ALERT_RECORDING_SOURCE_H

#include <stdio.h>

/* What a pipe may hold in all; a file is as large as it is. */
#define RECORDING_PIPE_BYTES_MAX (1ULL << 30)

/* Opens a regular file, a pipe or, as "-", standard input. Whoever writes into a pipe may be silent
 * for so long; then reading fails with ETIMEDOUT, and with EFBIG behind RECORDING_PIPE_BYTES_MAX. 0
 * with a stream to be closed with fclose(), or a negative errno of base/file.h. */
int recording_source_open(FILE **ret, const char *path, unsigned wait_ms);

#endif
