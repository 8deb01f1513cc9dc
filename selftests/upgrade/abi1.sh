#!/bin/sh -e
# SPDX-License-Identifier: BSD-2-Clause
# abi1.sh TREE: makes a copy of the sources a weft whose maps are of version 1.
exec patch --quiet --force --directory="$1" --strip=1 --input="$(realpath "$(dirname "$0")")/abi1.patch"
