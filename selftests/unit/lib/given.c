// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a function gives back it was given before, unless a test says otherwise (world_gives()): a frame that comes from a
 * function's device is remembered as sent there, as its flow would have been on the way in.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "include/flow_table.h"
#include "internal.h"

static bool gives = true;

void world_gives(bool on)
{
	gives = on;
}

void clear_given(void)
{
	clear_hash(map_fd("sf_flows"), sizeof(struct sf_flow_key));
}

struct ends {
	uint64_t source, destination;
	uint8_t protocol;
};

static uint64_t word(const uint8_t *at, int bytes)
{
	uint64_t w = 0;

	memcpy(&w, at, (size_t)bytes);
	return w;
}

static uint64_t end4(const uint8_t *address, uint16_t port)
{
	return word(address, 4) << 16 | port;
}

static uint64_t end6(const uint8_t *address, uint16_t port)
{
	return (word(address, 8) * 0x9e3779b97f4a7c15ull ^ word(address + 8, 8)) * 0xff51afd7ed558ccdull + port;
}

static bool is_error(uint8_t protocol, uint8_t type)
{
	return protocol == ICMP4 ? type == 3 || type == 11 || type == 12 : protocol == ICMP6 && type < 128;
}

static bool is_query(uint8_t protocol, uint8_t type)
{
	return protocol == ICMP4 ? type == 8 : protocol == ICMP6 && type == 128;
}

static bool is_reply(uint8_t protocol, uint8_t type)
{
	return protocol == ICMP4 ? type == 0 : protocol == ICMP6 && type == 129;
}

/* The packet at `at`, whose IP version is known; of an ICMP error the one that it quotes. */
static struct ends ends_of(const uint8_t *at, bool six)
{
	uint8_t protocol = six ? at[6] : at[9];
	const uint8_t *l4 = at + (six ? 40 : (at[0] & 0xf) * 4);
	bool fragment = !six && (at[6] & 0x3f || at[7]);
	uint16_t ports[2] = { 0, 0 };

	if (!fragment && is_error(protocol, l4[0]))
		return ends_of(l4 + 8, six);
	if (!fragment && (protocol == TCP || protocol == UDP || protocol == SCTP)) {
		ports[0] = (uint16_t)word(l4, 2);
		ports[1] = (uint16_t)word(l4 + 2, 2);
	} else if (!fragment && (is_query(protocol, l4[0]) || is_reply(protocol, l4[0]))) {
		ports[is_reply(protocol, l4[0])] = (uint16_t)word(l4 + 4, 2);
	}
	if (six)
		return (struct ends){ end6(at + 8, ports[0]), end6(at + 24, ports[1]), protocol };
	return (struct ends){ end4(at + 12, ports[0]), end4(at + 16, ports[1]), protocol };
}

static __u64 flow_of(const struct frame *f, uint32_t zone, uint64_t seed)
{
	const uint8_t *l3 = f->data + 14;
	uint16_t type = (uint16_t)(f->data[12] << 8 | f->data[13]);
	struct ends e = { word(f->data + 6, 6), word(f->data, 6), 0 };
	__u64 words[3];

	if (type == ETH_P_8021Q) {
		type = (uint16_t)(f->data[16] << 8 | f->data[17]);
		l3 += 4;
	}
	if (type == ETH_P_IP || type == ETH_P_IPV6)
		e = ends_of(l3, type == ETH_P_IPV6);
	words[0] = e.source < e.destination ? e.source : e.destination;
	words[1] = e.source < e.destination ? e.destination : e.source;
	words[2] = (uint64_t)zone << 16 | e.protocol;
	return flow_hash(words, 3, seed) | 1;
}

/* By which instance of which function: that whose device it is. */
void give(uint32_t ifindex, const struct frame *f)
{
	struct sf_flow sent = { .seen = jiffies_now() };
	struct sf_flow_key key = { .flow = flow_of(f, NETWORK, world_tenant().seed), .tenant = TENANT };

	for (uint8_t step = 0; gives && step < 2 * CHAIN_STEPS; step++) {
		struct function function = function_now(step);

		for (uint8_t place = 0; place < FUNCTION_INSTANCES; place++) {
			const struct sf_instance *one = &function.instance[place];

			if (one->leaving_ifindex != ifindex && one->towards_ifindex != ifindex)
				continue;
			key.function = FUNCTION + (uint32_t)step;
			sent.instance = sent.preferred = one->id;
			sent.place = place;
			bpf_map_update_elem(map_fd("sf_flows"), &key, &sent, BPF_NOEXIST);
		}
	}
}
