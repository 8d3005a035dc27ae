/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls from the library into a driver. Each one checks the locks that
 * struct vfio_mig_ops promises, can be made to fail, and is traced.
 */
#ifndef VFIO_MIG_CALL_H
#define VFIO_MIG_CALL_H

#include <linux/types.h>
#include <linux/vfio_mig.h>

int vfio_mig_call_suspend(struct vfio_mig *mig, enum vfio_mig_run_level to);
int vfio_mig_call_resume(struct vfio_mig *mig, enum vfio_mig_run_level to);
void vfio_mig_call_resume_after_reset(struct vfio_mig *mig);
int vfio_mig_call_estimate(struct vfio_mig *mig, struct vfio_mig_estimate *estimate);
int vfio_mig_call_describe(struct vfio_mig *mig, struct vfio_mig_preamble *preamble);
void vfio_mig_call_reset(struct vfio_mig *mig);

int vfio_mig_call_stream_init(struct vfio_mig_stream *st);
void vfio_mig_call_stream_fini(struct vfio_mig_stream *st);
int vfio_mig_call_buf_init(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_call_buf_fini(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);

int vfio_mig_call_save_prepare(struct vfio_mig_stream *st);
int vfio_mig_call_save_begin(struct vfio_mig_stream *st, bool final);
void vfio_mig_call_save_next(struct vfio_mig_stream *st, struct vfio_mig_buf *buf);
void vfio_mig_call_save_end(struct vfio_mig_stream *st, bool abort);

int vfio_mig_call_load_begin(struct vfio_mig_stream *st);
const char *vfio_mig_call_accept(struct vfio_mig_stream *st,
				 const struct vfio_mig_preamble *preamble);
int vfio_mig_call_expect(struct vfio_mig_stream *st, u64 size);
int vfio_mig_call_load_record(struct vfio_mig_stream *st, u32 tag, struct vfio_mig_buf *buf);
int vfio_mig_call_load_end(struct vfio_mig_stream *st, bool abort);

#endif /* VFIO_MIG_CALL_H */
