/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of vfio-mig: arcs of the state machine, sessions with their records and
 * requests, and what the driver is asked to do.
 *
 * A session's events take the name of the device, as a session can outlive it.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio_mig

#ifndef _TRACE_VFIO_MIG_ENUMS
#define _TRACE_VFIO_MIG_ENUMS

/**
 * enum vfio_mig_way - how a record gets from or to the user
 * @VFIO_MIG_WAY_COPIED: saved, copied from a buffer of the library
 * @VFIO_MIG_WAY_DIRECT: saved by the device into the reader's memory
 * @VFIO_MIG_WAY_SPLICED: saved, its pages are passed on
 * @VFIO_MIG_WAY_LOADED: loaded
 */
enum vfio_mig_way {
	VFIO_MIG_WAY_COPIED,
	VFIO_MIG_WAY_DIRECT,
	VFIO_MIG_WAY_SPLICED,
	VFIO_MIG_WAY_LOADED,
};
#endif

#if !defined(_TRACE_VFIO_MIG_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VFIO_MIG_H

#include <linux/device.h>
#include <linux/tracepoint.h>
#include <linux/vfio_mig.h>

TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_ERROR);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_STOP);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_RUNNING);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_STOP_COPY);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_RESUMING);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_RUNNING_P2P);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_PRE_COPY);
TRACE_DEFINE_ENUM(VFIO_DEVICE_STATE_PRE_COPY_P2P);

#define show_vfio_mig_state(state)				\
	__print_symbolic(state,					\
		{ VFIO_DEVICE_STATE_ERROR, "ERROR" },		\
		{ VFIO_DEVICE_STATE_STOP, "STOP" },		\
		{ VFIO_DEVICE_STATE_RUNNING, "RUNNING" },	\
		{ VFIO_DEVICE_STATE_STOP_COPY, "STOP_COPY" },	\
		{ VFIO_DEVICE_STATE_RESUMING, "RESUMING" },	\
		{ VFIO_DEVICE_STATE_RUNNING_P2P, "RUNNING_P2P" }, \
		{ VFIO_DEVICE_STATE_PRE_COPY, "PRE_COPY" },	\
		{ VFIO_DEVICE_STATE_PRE_COPY_P2P, "PRE_COPY_P2P" })

TRACE_DEFINE_ENUM(VFIO_MIG_WAY_COPIED);
TRACE_DEFINE_ENUM(VFIO_MIG_WAY_DIRECT);
TRACE_DEFINE_ENUM(VFIO_MIG_WAY_SPLICED);
TRACE_DEFINE_ENUM(VFIO_MIG_WAY_LOADED);

#define show_vfio_mig_way(way)					\
	__print_symbolic(way,					\
		{ VFIO_MIG_WAY_COPIED, "copied" },		\
		{ VFIO_MIG_WAY_DIRECT, "direct" },		\
		{ VFIO_MIG_WAY_SPLICED, "spliced" },		\
		{ VFIO_MIG_WAY_LOADED, "loaded" })

#define show_vfio_mig_tag(tag)					\
	__print_symbolic(tag,					\
		{ VFIO_MIG_TAG_IMAGE, "image" },		\
		{ VFIO_MIG_TAG_STOP_COPY_SIZE, "size" },	\
		{ VFIO_MIG_TAG_PREAMBLE, "preamble" },		\
		{ VFIO_MIG_TAG_CHECKSUM, "checksum" },		\
		{ VFIO_MIG_TAG_END, "end" })

TRACE_EVENT(vfio_mig_arc_begin,
	    TP_PROTO(const struct vfio_mig *mig, enum vfio_device_mig_state from,
		     enum vfio_device_mig_state to),
	    TP_ARGS(mig, from, to),
	    TP_STRUCT__entry(__string(device, dev_name(mig->vdev->dev))
			     __field(u32, from)
			     __field(u32, to)),
	    TP_fast_assign(__assign_str(device);
			   __entry->from = from;
			   __entry->to = to;),
	    TP_printk("%s: %s -> %s", __get_str(device), show_vfio_mig_state(__entry->from),
		      show_vfio_mig_state(__entry->to)));

TRACE_EVENT(vfio_mig_arc_end,
	    TP_PROTO(const struct vfio_mig *mig, enum vfio_device_mig_state from,
		     enum vfio_device_mig_state to, int result, u64 ns),
	    TP_ARGS(mig, from, to, result, ns),
	    TP_STRUCT__entry(__string(device, dev_name(mig->vdev->dev))
			     __field(u32, from)
			     __field(u32, to)
			     __field(int, result)
			     __field(u64, ns)),
	    TP_fast_assign(__assign_str(device);
			   __entry->from = from;
			   __entry->to = to;
			   __entry->result = result;
			   __entry->ns = ns;),
	    TP_printk("%s: %s -> %s result=%d ns=%llu", __get_str(device),
		      show_vfio_mig_state(__entry->from), show_vfio_mig_state(__entry->to),
		      __entry->result, __entry->ns));

TRACE_EVENT(vfio_mig_op,
	    TP_PROTO(const struct vfio_mig *mig, const char *op, int result, u64 ns),
	    TP_ARGS(mig, op, result, ns),
	    TP_STRUCT__entry(__string(device, dev_name(mig->vdev->dev))
			     __string(op, op)
			     __field(int, result)
			     __field(u64, ns)),
	    TP_fast_assign(__assign_str(device);
			   __assign_str(op);
			   __entry->result = result;
			   __entry->ns = ns;),
	    TP_printk("%s: %s result=%d ns=%llu", __get_str(device), __get_str(op),
		      __entry->result, __entry->ns));

TRACE_EVENT(vfio_mig_syndrome,
	    TP_PROTO(const struct vfio_mig *mig, u32 syndrome),
	    TP_ARGS(mig, syndrome),
	    TP_STRUCT__entry(__string(device, dev_name(mig->vdev->dev))
			     __field(u32, syndrome)),
	    TP_fast_assign(__assign_str(device);
			   __entry->syndrome = syndrome;),
	    TP_printk("%s: syndrome=0x%x", __get_str(device), __entry->syndrome));

TRACE_EVENT(vfio_mig_session_begin,
	    TP_PROTO(const char *device, const char *mode),
	    TP_ARGS(device, mode),
	    TP_STRUCT__entry(__string(device, device)
			     __string(mode, mode)),
	    TP_fast_assign(__assign_str(device);
			   __assign_str(mode);),
	    TP_printk("%s: %s", __get_str(device), __get_str(mode)));

TRACE_EVENT(vfio_mig_session_end,
	    TP_PROTO(const char *device, const char *mode, int status, u64 bytes),
	    TP_ARGS(device, mode, status, bytes),
	    TP_STRUCT__entry(__string(device, device)
			     __string(mode, mode)
			     __field(int, status)
			     __field(u64, bytes)),
	    TP_fast_assign(__assign_str(device);
			   __assign_str(mode);
			   __entry->status = status;
			   __entry->bytes = bytes;),
	    TP_printk("%s: %s status=%d bytes=%llu", __get_str(device), __get_str(mode),
		      __entry->status, __entry->bytes));

TRACE_EVENT(vfio_mig_record,
	    TP_PROTO(const char *device, u32 tag, u64 length, enum vfio_mig_way way),
	    TP_ARGS(device, tag, length, way),
	    TP_STRUCT__entry(__string(device, device)
			     __field(u32, tag)
			     __field(u64, length)
			     __field(u32, way)),
	    TP_fast_assign(__assign_str(device);
			   __entry->tag = tag;
			   __entry->length = length;
			   __entry->way = way;),
	    TP_printk("%s: %s tag=%s length=%llu %s", __get_str(device),
		      __entry->way == VFIO_MIG_WAY_LOADED ? "loading" : "saving",
		      show_vfio_mig_tag(__entry->tag), __entry->length,
		      show_vfio_mig_way(__entry->way)));

TRACE_EVENT(vfio_mig_request_queued,
	    TP_PROTO(const char *device, const void *request, size_t length),
	    TP_ARGS(device, request, length),
	    TP_STRUCT__entry(__string(device, device)
			     __field(const void *, request)
			     __field(size_t, length)),
	    TP_fast_assign(__assign_str(device);
			   __entry->request = request;
			   __entry->length = length;),
	    TP_printk("%s: request=%p length=%zu", __get_str(device), __entry->request,
		      __entry->length));

TRACE_EVENT(vfio_mig_request_completed,
	    TP_PROTO(const char *device, const void *request, ssize_t result, u64 waited_ns),
	    TP_ARGS(device, request, result, waited_ns),
	    TP_STRUCT__entry(__string(device, device)
			     __field(const void *, request)
			     __field(ssize_t, result)
			     __field(u64, waited_ns)),
	    TP_fast_assign(__assign_str(device);
			   __entry->request = request;
			   __entry->result = result;
			   __entry->waited_ns = waited_ns;),
	    TP_printk("%s: request=%p result=%zd waited_ns=%llu", __get_str(device),
		      __entry->request, __entry->result, __entry->waited_ns));

#endif /* _TRACE_VFIO_MIG_H */

#include <trace/define_trace.h>
