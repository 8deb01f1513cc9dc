# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# kernel_overlay.sh: the same two hosts and two workloads with what the kernel itself has. Sourced after net.sh.
#
# Overlay: vxlan in a bridge. Policy: nftables with `ct state` by br_netfilter (this is what a bridge has where
# bridge conntrack is not built), and the port's MAC and addresses checked in the bridge family, ARP and ND
# included, as the project's anti-spoof does. The outer packets are not tracked, as a careful administrator
# would have it. All of it inside the hosts' namespaces.

# kernel_host HOST LOCAL_VTEP REMOTE_VTEP MAC ADDR ADDR6: the overlay on HOST for its workload p0.
kernel_host() {
	local host=$1 local_vtep=$2 remote_vtep=$3 mac=$4 addr=$5 addr6=$6
	in_ns "$host" ip link add vx0 mtu "$WORKLOAD_MTU" type vxlan id 101 dstport 4789 \
		local "$local_vtep" remote "$remote_vtep" dev u0 || die "no vxlan device on $host"
	in_ns "$host" ip link add br0 mtu "$WORKLOAD_MTU" type bridge mcast_snooping 0
	in_ns "$host" ip link set vx0 up master br0
	in_ns "$host" ip link set p0 up mtu "$WORKLOAD_MTU" master br0
	in_ns "$host" ip link set br0 up
	in_ns "$host" sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 ||
		die "no br_netfilter on $host"
	kernel_policy "$host" "$mac" "$addr" "$addr6"
}

kernel_policy() {
	in_ns "$1" nft -f - <<-NFT || die "no nftables policy on $1"
		table bridge antispoof {
			chain from_workload {
				ether saddr != $2 drop
				ether type ip ip saddr $3 accept
				ether type ip6 ip6 saddr { $4, fe80::/10, :: } accept
				ether type arp arp saddr ether $2 arp saddr ip $3 accept
				drop
			}
			chain prerouting {
				type filter hook prerouting priority -300; policy accept;
				iifname "p0" jump from_workload
			}
		}
		table inet outer {
			chain in { type filter hook prerouting priority raw; udp dport 4789 notrack; }
			chain out { type filter hook output priority raw; udp dport 4789 notrack; }
		}
		table inet acl {
			chain forward {
				type filter hook forward priority 0; policy drop;
				ct state established,related accept
				ct state invalid drop
				ct state new udp dport 1000-65535 accept
				ct state new tcp dport 1000-65535 accept
				ct state new icmp type echo-request accept
				icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
			}
		}
	NFT
}

# kernel_conntrack_room FLOWS HOST...: that many flows on each host, in a hash with a bucket for each flow of all hosts,
# which all namespaces share; what the machine had comes back with the script's end.
kernel_conntrack_room() {
	local flows=$1 host buckets
	shift
	buckets=$((flows * $#))
	KERNEL_CONNTRACK=$(sysctl -n net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_buckets | xargs) ||
		die "no nf_conntrack"
	trap 'kernel_conntrack_restore; test_end' EXIT
	# First the hash: setting that also sets how many flows there may be.
	sysctl -qw net.netfilter.nf_conntrack_buckets=$buckets
	sysctl -qw net.netfilter.nf_conntrack_max=$buckets
	for host in "$@"; do
		in_ns "$host" sysctl -qw net.netfilter.nf_conntrack_max="$flows" 2>/dev/null
	done
}

# Keeps the status that the script ends with.
kernel_conntrack_restore() {
	local status=$?
	sysctl -qw net.netfilter.nf_conntrack_buckets="${KERNEL_CONNTRACK#* }" net.netfilter.nf_conntrack_max="${KERNEL_CONNTRACK% *}"
	return $status
}

kernel_flows() { in_ns "$1" cat /proc/sys/net/netfilter/nf_conntrack_count; }
