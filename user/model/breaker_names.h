/* What people call the states of a breaker. */
#ifndef MOONWATCH_MODEL_BREAKER_NAMES_H
#define MOONWATCH_MODEL_BREAKER_NAMES_H

#include "abi/breaker.h"

extern const char *const breaker_state_names[];           /* NULL ends the table */
const char *breaker_state_name(enum breaker_state state); /* "closed" ... */

#endif
