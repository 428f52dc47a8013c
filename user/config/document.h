/* Documents generated from the tables of keys. */
#ifndef MOONWATCH_CONFIG_DOCUMENT_H
#define MOONWATCH_CONFIG_DOCUMENT_H

#include "base/text.h"

/* A JSON Schema (draft 2020-12). */
void config_schema(struct text *out);
/* Markdown: a table per section. */
void config_reference(struct text *out);

#endif
