/* Reading files: the kernel's small text files again and again, and those that people name, which
 * may be anything. Only regular files are read, so that none waits for its other side or never
 * ends. */
#ifndef MOONWATCH_BASE_FILE_H
#define MOONWATCH_BASE_FILE_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

/* A file under a host root, kept open: pread from offset 0 gives a fresh reading each time, without
 * the path walk of open(). */
struct proc_file {
    int fd;         /* -1 when it could not be opened */
    int open_error; /* errno of the open, positive; 0 when open */
    char *path;     /* owned; NULL before proc_file_open() and after proc_file_close() */
};

/* Opens ROOT/RELATIVE; returns 0 or a negative errno, which is kept in `open_error` too. The file
 * may be read and must be closed in either case. */
int proc_file_open(struct proc_file *file, const char *root, const char *relative);
/* A zeroed struct, never opened, is fine. */
void proc_file_close(struct proc_file *file);

/* Reads the whole file into `*buffer`, grown with realloc as needed and NUL-terminated. Returns its
 * length or a negative errno (-ENODATA for an empty file). Opens again a file that could not be
 * opened or read before. */
ssize_t proc_file_read(struct proc_file *file, char **buffer, size_t *capacity);
/* The same of its first line, whole; there may be more behind it. Spares asking for the end. */
ssize_t proc_file_read_line(struct proc_file *file, char **buffer, size_t *capacity);

/* Opens a regular file of at most `limit` bytes for reading. Returns the descriptor or a negative
 * errno: -EFBIG, -EISDIR, FILE_NOT_REGULAR, or why it cannot be opened. */
int file_open(const char *path, size_t limit);

/* A FIFO, socket or device. */
#define FILE_NOT_REGULAR (-EMEDIUMTYPE)

/* strerror() for the negative errno of these functions. */
const char *file_error(int error);

/* Reads ROOT/RELATIVE (RELATIVE alone when `root` is NULL) whole into a new NUL-terminated buffer,
 * which the caller frees. Errors are those of file_open(). */
int file_read_all(const char *root, const char *relative, size_t limit, char **ret,
                  size_t *ret_len);

/* Reads ROOT/RELATIVE as one unsigned integer ("max" gives UINT64_MAX); -EINVAL if it is none. */
int file_read_u64(const char *root, const char *relative, unsigned long long *ret);

/* mkdir -p, of the directory and of the one a file is in; 0 or a negative errno. */
int dir_create_all(const char *path, mode_t mode);
int dir_create_parent(const char *path, mode_t mode);

#endif
