// SPDX-License-Identifier: GPL-2.0-only
/*
 * The models. Each is registered by a module of its own, which is pinned while
 * a function of the model is configured.
 */

#include <linux/export.h>
#include <linux/kmod.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pcisim_private.h"

/**
 * struct pcisim_model_entry - a registered model
 * @node: in the list
 * @model: the model
 * @item_type: of its functions in configfs
 * @attrs: all attributes of its functions, NULL terminated
 */
struct pcisim_model_entry {
	struct list_head node;
	const struct pcisim_model *model;
	struct config_item_type item_type;
	struct configfs_attribute *attrs[];
};

static LIST_HEAD(pcisim_models);
/* Protects the list. */
static DEFINE_MUTEX(pcisim_models_lock);

static size_t pcisim_count_attrs(struct configfs_attribute **attrs)
{
	size_t count = 0;

	while (attrs && attrs[count])
		count++;
	return count;
}

static bool pcisim_type_is_valid(const struct pcisim_function_type *type)
{
	u32 pba = type->msix_table + SZ_4K;

	return is_power_of_2(type->bar_size) && type->bar_size >= SZ_4K &&
	       type->bar_size <= SZ_1G && type->msix_vectors >= 1 &&
	       type->msix_vectors <= PCISIM_MAX_VECTORS && IS_ALIGNED(type->msix_table, SZ_4K) &&
	       pba > type->msix_table && pba < type->bar_size &&
	       IS_ALIGNED(type->doorbell, sizeof(u32)) && type->doorbell < type->bar_size &&
	       (!type->doorbell || IS_ENABLED(CONFIG_PCISIM_DOORBELL));
}

static bool pcisim_model_is_valid(const struct pcisim_model *model)
{
	return model->name && model->owner && model->init && model->fini && model->reset &&
	       pcisim_type_is_valid(&model->pf) && model->max_vfs <= PCISIM_MAX_VFS &&
	       (!model->max_vfs || pcisim_type_is_valid(&model->vf)) &&
	       model->settings <= PCISIM_MAX_SETTINGS && (!model->settings || model->defaults);
}

static struct pcisim_model_entry *pcisim_model_find(const char *name, size_t len)
{
	struct pcisim_model_entry *entry;

	lockdep_assert_held(&pcisim_models_lock);

	list_for_each_entry(entry, &pcisim_models, node)
		if (strlen(entry->model->name) == len && !memcmp(entry->model->name, name, len))
			return entry;
	return NULL;
}

/**
 * pcisim_model_register - make a model available in configfs
 * @model: the model, which must stay until pcisim_model_unregister()
 *
 * Context: process context.
 * Return: 0, -EINVAL for an impossible geometry, -EEXIST if the name is taken,
 * -ENOMEM.
 */
int pcisim_model_register(const struct pcisim_model *model)
{
	size_t common = pcisim_count_attrs(pcisim_function_attrs);
	size_t own = pcisim_count_attrs(model->attrs);
	struct pcisim_model_entry *entry;

	if (WARN_ON_ONCE(!pcisim_model_is_valid(model)))
		return -EINVAL;

	entry = kzalloc_flex(*entry, attrs, common + own + 1);
	if (!entry)
		return -ENOMEM;

	memcpy(entry->attrs, pcisim_function_attrs, common * sizeof(*entry->attrs));
	if (own)
		memcpy(entry->attrs + common, model->attrs, own * sizeof(*entry->attrs));
	entry->model = model;
	entry->item_type.ct_owner = THIS_MODULE;
	entry->item_type.ct_item_ops = &pcisim_function_item_ops;
	entry->item_type.ct_attrs = entry->attrs;

	guard(mutex)(&pcisim_models_lock);
	if (pcisim_model_find(model->name, strlen(model->name))) {
		kfree(entry);
		return -EEXIST;
	}
	list_add_tail(&entry->node, &pcisim_models);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcisim_model_register, "PCISIM");

/**
 * pcisim_model_unregister - the model goes away
 * @model: a registered model; no function of it is configured, because each
 *	pins &pcisim_model.owner
 *
 * Context: process context.
 */
void pcisim_model_unregister(const struct pcisim_model *model)
{
	struct pcisim_model_entry *entry;

	guard(mutex)(&pcisim_models_lock);
	entry = pcisim_model_find(model->name, strlen(model->name));
	if (WARN_ON_ONCE(!entry))
		return;
	list_del(&entry->node);
	kfree(entry);
}
EXPORT_SYMBOL_NS_GPL(pcisim_model_unregister, "PCISIM");

static const struct pcisim_model *pcisim_model_try_get(const char *name, size_t len)
{
	struct pcisim_model_entry *entry;

	guard(mutex)(&pcisim_models_lock);
	entry = pcisim_model_find(name, len);
	if (!entry || !try_module_get(entry->model->owner))
		return NULL;
	return entry->model;
}

/* Find a model and pin its module, loading it first when necessary. */
const struct pcisim_model *pcisim_model_get(const char *name, size_t len)
{
	const struct pcisim_model *model;

	model = pcisim_model_try_get(name, len);
	if (model)
		return model;

	request_module("pcisim-%.*s", (int)len, name);
	return pcisim_model_try_get(name, len);
}

void pcisim_model_put(const struct pcisim_model *model)
{
	module_put(model->owner);
}

/* The caller has pinned the model, so the entry stays. */
const struct config_item_type *pcisim_model_item_type(const struct pcisim_model *model)
{
	guard(mutex)(&pcisim_models_lock);
	return &pcisim_model_find(model->name, strlen(model->name))->item_type;
}
