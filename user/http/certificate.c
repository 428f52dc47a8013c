#include "http/certificate.h"
#include "base/file.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_BYTES_MAX (256UL << 10)

static int read_pem(char **ret, const char *file, char *error, size_t size)
{
    size_t len = 0;
    int r = file_read_all(NULL, file, PEM_BYTES_MAX, ret, &len);

    if (r < 0)
        snprintf(error, size, "cannot read %s: %s", file, file_error(r));
    return r;
}

/* libmicrohttpd would only say that it could not start. */
static int check_pair(const struct certificate *pair, const char *chain_file, const char *key_file,
                      char *error, size_t size)
{
    gnutls_datum_t chain = {(unsigned char *)pair->chain, (unsigned)strlen(pair->chain)};
    gnutls_datum_t key = {(unsigned char *)pair->key, (unsigned)strlen(pair->key)};
    gnutls_certificate_credentials_t credentials;
    int r = gnutls_certificate_allocate_credentials(&credentials);

    if (r < 0)
        return -ENOMEM;
    r = gnutls_certificate_set_x509_key_mem(credentials, &chain, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (r >= 0)
        return 0;
    snprintf(error, size, "%s and %s cannot serve HTTPS: %s", chain_file, key_file,
             gnutls_strerror(r));
    return -EINVAL;
}

int certificate_load(struct certificate *ret, const char *chain_file, const char *key_file,
                     char *error, size_t size)
{
    struct certificate pair = {0};
    int r = read_pem(&pair.chain, chain_file, error, size);

    if (r == 0)
        r = read_pem(&pair.key, key_file, error, size);
    if (r == 0)
        r = check_pair(&pair, chain_file, key_file, error, size);
    if (r < 0)
        certificate_free(&pair);
    else
        *ret = pair;
    return r;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate->key)
        explicit_bzero(certificate->key, strlen(certificate->key));
    free(certificate->key);
    free(certificate->chain);
    *certificate = (struct certificate){0};
}
