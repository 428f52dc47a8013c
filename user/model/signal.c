#include "model/event.h"
#include <signal.h>

bool signal_is_crash(uint32_t signal)
{
    static const uint32_t crashes[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                       SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};

    for (unsigned i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        if (signal == crashes[i])
            return true;
    return false;
}
