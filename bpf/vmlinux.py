#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Cuts the few kernel types that weft uses out of `bpftool btf dump file BTF format c` (standard input).

What is needed is named below; whatever those types need in turn comes along, by name.
"""
import re
import sys

TYPES = """__sk_buff xdp_md ethhdr iphdr ipv6hdr udphdr tcphdr icmphdr icmp6hdr vlan_hdr
bpf_fib_lookup bpf_check_mtu_ret bpf_redir_neigh bpf_map_type bpf_adj_room_mode xdp_action xdp_rss_hash_type
__u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 __be16 __be32 __be64 __sum16 __wsum bool""".split()
ENUMERATORS = """BPF_F_ADJ_ROOM_FIXED_GSO BPF_F_NO_PREALLOC BPF_F_INGRESS BPF_FIB_LOOKUP_DIRECT
BPF_FIB_LKUP_RET_SUCCESS BPF_ADJ_ROOM_MAC BPF_ANY BPF_F_RECOMPUTE_CSUM BPF_F_INNER_MAP BPF_F_MARK_ENFORCE
BPF_F_PSEUDO_HDR BPF_ADJ_ROOM_ENCAP_L2_MASK BPF_F_HDR_FIELD_MASK BPF_RB_NO_WAKEUP""".split()

text = sys.stdin.read()
body = text.split("#endif", 1)[1]
chunks = []
for chunk in re.split(r"\n\n+", body):
    chunk = chunk.strip()
    if not chunk or chunk.startswith("#"):
        continue
    m = re.match(r"typedef [^{;]*?\b(\w+)(?:\[\w*\])?;$", chunk) or \
        re.match(r"(?:struct|union|enum) (\w+) \{", chunk) or \
        re.match(r"typedef .*\}\s*(\w+);$", chunk, re.S)
    if m:
        chunks.append((m.group(1), chunk))
    elif re.match(r"enum(?: : \w+)? \{", chunk):
        chunks.append((None, chunk))

by_name = {}
for name, chunk in chunks:
    if name and not re.match(r"(?:struct|union|enum) \w+;$", chunk):
        by_name.setdefault(name, chunk)
wanted, todo = set(), list(TYPES)
while todo:
    name = todo.pop()
    if name in wanted or name not in by_name:
        continue
    wanted.add(name)
    # A pointer to a struct needs no definition of it.
    inner = re.sub(r"struct \w+ \*", "void *", by_name[name])
    todo += re.findall(r"\b(?:struct|union|enum) (\w+)", inner)
    todo += re.findall(r"^\s*(?:typedef )?(\w+) ", inner, re.M)

missing = [t for t in TYPES if t not in wanted]
out = []
for name, chunk in chunks:
    if name in wanted and by_name.get(name) == chunk:
        out.append(chunk)
    elif name is None and any(re.search(r"\b%s\b" % e, chunk) for e in ENUMERATORS):
        out.append(chunk)
print("""/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The kernel's types that weft's BPF programs use, and no others: `make vmlinux.h` cuts them out of a
 * kernel's BTF (bpf/vmlinux.py holds the list). All of them are UAPI or formats on the wire, which never
 * change, so any kernel's will do and CO-RE has nothing to relocate; with relocations clang 19 computes
 * ctx + offset in a register, which the verifier refuses. The one type that does change is in bpf/lib/unfinished.h.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__
""")
print("\n\n".join(out))
print("""
#endif""")
if missing:
    sys.exit("vmlinux.py: not in this kernel's BTF: " + " ".join(missing))
