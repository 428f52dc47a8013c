/* How many files this process may hold open, and keeping some of them for what is opened later. */
#ifndef MOONWATCH_BASE_OPEN_FILES_H
#define MOONWATCH_BASE_OPEN_FILES_H

/* Raises the soft limit to the hard one. Returns the limit in force then. */
unsigned open_files_raise(void);
/* The limit in force. */
unsigned open_files_limit(void);
/* How many are open now; 0 when that cannot be read. */
unsigned open_files_count(void);

#define OPEN_FILES_HELD_MAX 128

/* Places taken so that nobody else uses them up. */
struct open_files_held {
    unsigned count;
    int fds[OPEN_FILES_HELD_MAX];
};

/* Takes up to `wanted` places. */
void open_files_hold(struct open_files_held *held, unsigned wanted);
void open_files_release(struct open_files_held *held);

#endif
