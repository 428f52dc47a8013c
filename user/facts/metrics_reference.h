/* Every metric and what is made of it, as the page of the documentation. */
#ifndef MOONWATCH_FACTS_METRICS_REFERENCE_H
#define MOONWATCH_FACTS_METRICS_REFERENCE_H

#include "base/text.h"

/* Appends a table in Markdown, by name. */
void metrics_reference(struct text *out);

#endif
