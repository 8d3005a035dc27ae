/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a client does and what vfio-mig says about it, in one trace, for timeline.py.
 */
#ifndef SPEED_EVENTS_H
#define SPEED_EVENTS_H

/* From here on, until events_store() puts it into a file of this name. */
void events_open(void);
void events_store(const char *name);

/* Part of what is done with a device begins or ends. Nothing happens without a trace. */
void events_begin(const char *what, unsigned int device);
void events_end(const char *what, unsigned int device);
/* The names that the kernel has for a device. */
void events_device(unsigned int device, const char *source, const char *target);

#endif /* SPEED_EVENTS_H */
