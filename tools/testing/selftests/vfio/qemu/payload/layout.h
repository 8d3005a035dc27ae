/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things are in the guest's memory; variables and stack: payload.lds. */
#ifndef PAYLOAD_LAYOUT_H
#define PAYLOAD_LAYOUT_H

#define RINGS_ADDRESS		0x00200000
#define WRITTEN_ADDRESS		0x00800000
#define WRITTEN_SIZE		0x00400000

#endif /* PAYLOAD_LAYOUT_H */
