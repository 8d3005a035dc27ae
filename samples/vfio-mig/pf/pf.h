/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the PF's driver share.
 */
#ifndef VMS_PF_H
#define VMS_PF_H

#include "../vms.h"

/**
 * struct vms_pf - the PF
 * @pdev: the function
 * @bar: its registers
 */
struct vms_pf {
	struct pci_dev *pdev;
	void __iomem *bar;
};

/* main.c: how a channel finds its PF */
extern struct pci_driver vms_pf_driver;

#endif /* VMS_PF_H */
