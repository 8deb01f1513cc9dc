/* SPDX-License-Identifier: BSD-2-Clause */
/* What libbpf and the verifier say is kept, so that an error can quote the part that matters. */
#ifndef WEFT_BPF_LOG_H
#define WEFT_BPF_LOG_H

#include <stddef.h>

/* From now on keeps libbpf's warnings instead of printing them. */
void bpf_log_capture(void);
void bpf_log_clear(void);

/* The last words: the verifier's complaint if there is one, else libbpf's last warning; "" for none. One line. */
const char *bpf_log_reason(char *buf, size_t size);

/* Prints all that was kept to standard error. */
void bpf_log_print(void);

#endif
