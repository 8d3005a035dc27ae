// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a session needs as a whole: a protection domain for its buffers.
 */
#include "mlx5mig.h"

/* &vfio_mig_ops.stream_init */
int mlx5mig_stream_init(struct vfio_mig_stream *st)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);
	struct mlx5mig_device *dev = to_mlx5mig(vfio_mig_stream_device(st));
	int ret;

	session->dev = dev;
	session->stream = st;
	INIT_WORK(&session->save.ask, mlx5mig_save_ask);
	ret = mlx5mig_identify(dev);
	if (ret)
		return ret;
	return mlx5mig_cmd_error(mlx5_core_alloc_pd(dev->mdev, &session->pdn));
}

/* &vfio_mig_ops.stream_fini */
void mlx5mig_stream_fini(struct vfio_mig_stream *st)
{
	struct mlx5mig_session *session = vfio_mig_stream_priv(st);

	mlx5_core_dealloc_pd(session->dev->mdev, session->pdn);
}
