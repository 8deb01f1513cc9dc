// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>

#include "nsh.h"

static void put32(uint8_t *to, uint32_t value)
{
	value = htonl(value);
	memcpy(to, &value, 4);
}

static const char *or(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

void nsh_wrap(struct frame *f, const struct service *s)
{
	uint8_t si = s->si == NO_SI ? 0 : s->si ? (uint8_t)s->si : 254;
	uint16_t tci = s->tci ? s->tci : PCP_LEAVING << 13 | CHAIN_TAG;
	struct frame inner = *f;
	uint8_t *nsh = f->data;

	memset(f, 0, sizeof(*f));
	f->len = 24 + inner.len;
	put32(nsh, 0x00060103 | (uint32_t)(s->ttl ? s->ttl : 62) << 22);
	put32(nsh + 4, (s->spi ? s->spi : PATH << 1) << 8 | si);
	inet_pton(AF_INET, or(s->judge, OURS), nsh + 8);
	put32(nsh + 12, s->instance ? s->instance : FAR_INSTANCE);
	put32(nsh + 16, (uint32_t)tci << 16);
	memcpy(nsh + 24, inner.data, inner.len);
	frame_wrap(f, &(struct tunnelled){ .source = or(s->source, FARS),
					   .destination = or(s->destination, OURS),
					   .vni = s->vni,
					   .edit = "36=12b6 42=0c 45=04" });
	frame_edit(f, s->edit);
}

void nsh_expect(const struct result *r, const struct frame *inner, const struct service *s)
{
	struct frame wanted = *inner, got = r->out;
	struct service out = *s;
	char macs[64];

	out.source = OURS;
	out.edit = macs;
	snprintf(macs, sizeof(macs), "0=0200000000%02x 6=020000000051 34=0000",
		 strcmp(out.destination, FARS) ? 0x52 : 0x53);
	nsh_wrap(&wanted, &out);
	case_assert(got.data[34] >> 6 == 3);
	got.data[34] = got.data[35] = 0;
	expect_frame(&got, &wanted);
	case_assert(r->mark == 0);
}

void nsh_far_host(void)
{
	struct host far = { .id = 3,
			    .vtep4 = { 192, 168, 50, 3 },
			    .ip_checksum =
				    0x4500 + 0x4000 + 0x4011 + 2 * 0xc0a8 + 0x3201 + 0x3203 };
	uint32_t theirs = THEIR_HOST, slot = FAR_HOST;
	struct vtep_key key = { { 192, 168, 50, 3 } };
	struct next_hop hop;
	uint8_t outer[sizeof(hop.outer)];

	map_get("next_hops", &theirs, &hop);
	memcpy(outer, hop.outer, sizeof(outer));
	outer[5] = 0x53;
	outer[24]++; /* the header's sum, which lies there with the low byte first */
	outer[33] = 3;
	memcpy(hop.outer, outer, sizeof(outer));
	map_put("hosts", &slot, &far);
	map_put("vteps", &key, &(struct vtep){ FAR_HOST });
	map_put("next_hops", &slot, &hop);
}

void nsh_path(uint32_t host)
{
	struct nsh_path_key key = { .path = PATH, .host = host };
	struct nsh_path path = { .chain = CHAIN, .vnis = { VNI } };
	struct nsh_chain chain = { .id = 6, .path = PATH };
	uint32_t slot = CHAIN;

	map_put("nsh_chains", &slot, &chain);
	map_put("nsh_paths", &key, &path);
}

void nsh_remote(uint8_t step, uint8_t place, uint32_t id, uint32_t host)
{
	struct function f = function_now(step);
	uint16_t bit = (uint16_t)(1 << place);

	f.id = 60 + (uint64_t)step;
	f.instance[place] = (struct sf_instance){ .id = id,
						  .leaving_ifindex = host,
						  .towards_ifindex = host,
						  .weight = 1,
						  .flags = INSTANCE_REMOTE };
	f.remote |= bit;
	f.present &= (uint16_t)~bit;
	f.fresh |= bit;
	function_put(step, &f);
}

void nsh_protect(enum who w, uint8_t flags, const enum device_name *functions, uint8_t more)
{
	enum device_name all[CHAIN_STEPS] = { DEVICE_S };
	struct chain chain;

	memcpy(all + 1, functions, more * sizeof(*functions));
	chain_protect_steps(w, flags, all, more + 1);
	/* Nobody is on "s": what comes from there is nobody's. */
	for (int pcp = PCP_MADE; pcp <= PCP_TOWARDS; pcp++)
		for (int i = 0; i < 2; i++) {
			struct sf_key key = { .ifindex = device(DEVICE_S),
					      .tci = (uint16_t)(pcp << 13 | CHAIN_TAG) };

			memcpy(key.mac, people[i ? ALL : w].mac, 6);
			map_delete("sf", &key);
		}
	chain = chain_now();
	chain.step[0].leaving_ifindex = chain.step[0].towards_ifindex = 0;
	for (uint8_t i = 0; i < chain.steps; i++)
		chain.step[i].flags = 0;
	chain_put(&chain);
	nsh_far_host();
	nsh_remote(0, 0, FAR_INSTANCE, FAR_HOST);
	nsh_path(OUR_HOST);
}

void nsh_serve(enum who w, uint32_t host, const enum device_name *functions, uint8_t n)
{
	struct chain chain = {
		.id = 6, .tenant = TENANT, .tag = CHAIN_TAG, .steps = n, .vnis = { VNI }
	};

	for (uint8_t i = 0; i < n; i++) {
		uint32_t ifindex = device(functions[i]);

		chain.step[i] = (struct chain_step){ ifindex, ifindex, STEP_XDP_DELIVER,
						     (uint16_t)(FUNCTION + i) };
		instance_put(i, 0, FAR_INSTANCE + i, ifindex, ifindex);
		for (int pcp = PCP_MADE; pcp <= PCP_TOWARDS; pcp++) {
			struct sf_return back = { .port = SF_AWAY(host, 0),
						  .chain = CHAIN,
						  .step = i };
			struct sf_key key = { .ifindex = ifindex,
					      .tci = (uint16_t)(pcp << 13 | CHAIN_TAG) };

			memcpy(key.mac, people[w].mac, 6);
			map_put("sf", &key, &back);
			back.port = SF_AWAY(0, 0);
			memcpy(key.mac, people[ALL].mac, 6);
			if (pcp == PCP_TOWARDS)
				map_put("sf", &key, &back);
		}
	}
	chain_put(&chain);
	nsh_far_host();
	nsh_path(host);
}
