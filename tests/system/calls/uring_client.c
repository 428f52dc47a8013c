/* A client of HTTP that does everything through io_uring: uring_client HOST PORT TIMES. One
 * connection, so many requests; it says how many were answered.
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: there\r\n\r\n";

/* The result of what was prepared, or -1. */
static int done(struct io_uring *ring)
{
    struct io_uring_cqe *entry;
    int result;

    if (io_uring_submit(ring) < 0 || io_uring_wait_cqe(ring, &entry) < 0)
        return -1;
    result = entry->res;
    io_uring_cqe_seen(ring, entry);
    return result;
}

static int answered(struct io_uring *ring, int peer, int times)
{
    char answer[4096];
    int count = 0;

    while (count < times) {
        io_uring_prep_send(io_uring_get_sqe(ring), peer, request, sizeof(request) - 1, 0);
        if (done(ring) != (int)sizeof(request) - 1)
            break;
        io_uring_prep_recv(io_uring_get_sqe(ring), peer, answer, sizeof(answer), 0);
        if (done(ring) <= 0)
            break;
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct sockaddr_in there = {.sin_family = AF_INET};
    struct io_uring ring;
    int peer;

    if (argc != 4 || inet_pton(AF_INET, argv[1], &there.sin_addr) != 1) {
        fprintf(stderr, "usage: uring_client HOST PORT TIMES\n");
        return 2;
    }
    there.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    peer = socket(AF_INET, SOCK_STREAM, 0);
    if (peer < 0 || io_uring_queue_init(8, &ring, 0) < 0) {
        perror("uring_client");
        return 1;
    }
    io_uring_prep_connect(io_uring_get_sqe(&ring), peer, (struct sockaddr *)&there, sizeof(there));
    if (done(&ring) != 0) {
        fprintf(stderr, "uring_client: no connection\n");
        return 1;
    }
    printf("%d\n", answered(&ring, peer, (int)strtol(argv[3], NULL, 10)));
    io_uring_queue_exit(&ring);
    close(peer);
    return 0;
}
