#include "base/host.h"

const struct host host_default = {.proc = "/proc", .sys = "/sys"};
