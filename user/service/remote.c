#include "service/remote.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void remote_format(const uint8_t addr[16], uint16_t port, char ret[REMOTE_BYTES])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN] = "?";

    if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
        inet_ntop(AF_INET, addr + sizeof(mapped), text, sizeof(text));
        snprintf(ret, REMOTE_BYTES, "%s:%u", text, port);
    } else {
        inet_ntop(AF_INET6, addr, text, sizeof(text));
        snprintf(ret, REMOTE_BYTES, "[%s]:%u", text, port);
    }
}
