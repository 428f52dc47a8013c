#include "agent/agent.h"
#include "cli/cli.h"
#include <stdlib.h>

int main(int argc, char **argv)
{
    /* All times are said in UTC, and a mute window names its zone. libc opens whatever $TZ names
     * with the first time it breaks down: a FIFO would hang it. */
    setenv("TZ", "UTC0", 1);
    return cli_main(argc, argv, agent_run);
}
