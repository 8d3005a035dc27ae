// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's side: hosts and functions are directories of configfs, made and
 * configured while nothing exists, then brought to life by the attribute
 * ``live``. While a host is live its directories cannot be removed and no
 * attribute can be changed.
 */

#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pcisim_private.h"

#define PCISIM_NAME_MAX	32

/**
 * struct pcisim_host_config - a host in configfs
 * @group: its directory
 * @functions: list of struct pcisim_function_config
 * @wanted_domain: the PCI domain that a user asked for, 0 for any
 * @host: the host while it is live
 * @domain: its PCI domain, negative while it is not live; read locklessly, as
 *	@lock is held while a removal waits for users
 */
struct pcisim_host_config {
	struct config_group group;
	/** @lock: protects what follows and the fields of its functions */
	struct mutex lock;
	struct list_head functions;
	u32 wanted_domain;
	struct pcisim_host *host;
	int domain;
};

static struct configfs_subsystem pcisim_subsys;

static struct pcisim_host_config *to_host_config(struct config_item *item)
{
	return container_of(to_config_group(item), struct pcisim_host_config, group);
}

static struct pcisim_function_config *to_function_config(struct config_item *item)
{
	return container_of(item, struct pcisim_function_config, item);
}

static int pcisim_parse(const char *page, u64 min, u64 max, u64 *value)
{
	int ret;

	ret = kstrtou64(page, 0, value);
	if (ret)
		return -EINVAL;
	return *value < min || *value > max ? -EINVAL : 0;
}

/**
 * pcisim_setting_show - show a setting of a model
 * @item: directory of the function
 * @page: where to print
 * @index: number of the setting
 *
 * Context: process context; for PCISIM_SETTING().
 * Return: number of characters.
 */
ssize_t pcisim_setting_show(struct config_item *item, char *page, unsigned int index)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(to_function_config(item)->settings[index]));
}
EXPORT_SYMBOL_NS_GPL(pcisim_setting_show, "PCISIM");

/**
 * pcisim_setting_store - change a setting of a model
 * @item: directory of the function
 * @page: what the user wrote
 * @len: length of @page
 * @index: number of the setting
 * @min: smallest value
 * @max: largest value
 *
 * Context: process context; for PCISIM_SETTING().
 * Return: @len, -EINVAL if the value is no number or out of range, -EBUSY
 * while the host is live, -EINTR.
 */
ssize_t pcisim_setting_store(struct config_item *item, const char *page, size_t len,
			     unsigned int index, u64 min, u64 max)
{
	struct pcisim_function_config *config = to_function_config(item);
	u64 value;
	int ret;

	ret = pcisim_parse(page, min, max, &value);
	if (ret)
		return ret;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->host->lock) {
		if (config->host->host)
			return -EBUSY;
		WRITE_ONCE(config->settings[index], value);
	}
	return len;
}
EXPORT_SYMBOL_NS_GPL(pcisim_setting_store, "PCISIM");

static bool pcisim_slot_is_free(struct pcisim_host_config *host, unsigned int port,
				unsigned int slot)
{
	struct pcisim_function_config *config;

	lockdep_assert_held(&host->lock);

	list_for_each_entry(config, &host->functions, entry)
		if (config->port == port && config->slot == slot)
			return false;
	return true;
}

static ssize_t pcisim_function_slot_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_function_config(item)->slot));
}

/* Move a function to where there is none. */
static int pcisim_function_move(struct pcisim_function_config *config, unsigned int port,
				unsigned int slot)
{
	lockdep_assert_held(&config->host->lock);

	if (config->host->host)
		return -EBUSY;
	if (port == config->port && slot == config->slot)
		return 0;
	if (!pcisim_slot_is_free(config->host, port, slot))
		return -EEXIST;
	WRITE_ONCE(config->port, port);
	WRITE_ONCE(config->slot, slot);
	return 0;
}

static ssize_t pcisim_function_slot_store(struct config_item *item, const char *page, size_t len)
{
	struct pcisim_function_config *config = to_function_config(item);
	u64 slot;
	int ret;

	ret = pcisim_parse(page, 0, PCISIM_MAX_SLOTS - 1, &slot);
	if (ret)
		return ret;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->host->lock)
		ret = pcisim_function_move(config, config->port, slot);
	return ret ?: len;
}
CONFIGFS_ATTR(pcisim_function_, slot);

static ssize_t pcisim_function_port_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_function_config(item)->port));
}

static ssize_t pcisim_function_port_store(struct config_item *item, const char *page, size_t len)
{
	struct pcisim_function_config *config = to_function_config(item);
	u64 port;
	int ret;

	ret = pcisim_parse(page, 0, PCISIM_MAX_PORTS, &port);
	if (ret)
		return ret;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->host->lock)
		ret = pcisim_function_move(config, port, config->slot);
	return ret ?: len;
}
CONFIGFS_ATTR(pcisim_function_, port);

static ssize_t pcisim_function_total_vfs_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_function_config(item)->total_vfs));
}

static ssize_t pcisim_function_total_vfs_store(struct config_item *item, const char *page,
					       size_t len)
{
	struct pcisim_function_config *config = to_function_config(item);
	u64 total;
	int ret;

	ret = pcisim_parse(page, 0, config->model->max_vfs, &total);
	if (ret)
		return ret;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->host->lock) {
		if (config->host->host)
			return -EBUSY;
		WRITE_ONCE(config->total_vfs, total);
	}
	return len;
}
CONFIGFS_ATTR(pcisim_function_, total_vfs);

static ssize_t pcisim_function_address_show(struct config_item *item, char *page)
{
	struct pcisim_function_config *config = to_function_config(item);
	int domain = READ_ONCE(config->host->domain);
	unsigned int port = READ_ONCE(config->port);
	unsigned int slot = READ_ONCE(config->slot);

	if (domain < 0)
		return -ENODEV;
	return sysfs_emit(page, "%04x:%02x:%02x.%u\n", domain, port, port ? 0 : slot,
			  port ? slot : 0);
}
CONFIGFS_ATTR_RO(pcisim_function_, address);

struct configfs_attribute *pcisim_function_attrs[] = {
	&pcisim_function_attr_port,
	&pcisim_function_attr_slot,
	&pcisim_function_attr_total_vfs,
	&pcisim_function_attr_address,
	NULL
};

static void pcisim_function_config_release(struct config_item *item)
{
	struct pcisim_function_config *config = to_function_config(item);

	config_item_put(&config->host->group.cg_item);
	pcisim_model_put(config->model);
	kfree(config);
}

const struct configfs_item_operations pcisim_function_item_ops = {
	.release = pcisim_function_config_release,
};

/* Length of the model's name in "<model>.<instance>", negative if malformed. */
static int pcisim_parse_name(const char *name)
{
	size_t len = 0;
	u32 instance;

	while (isalnum(name[len]) || name[len] == '_' || name[len] == '-')
		len++;
	if (!len || len > PCISIM_NAME_MAX || name[len] != '.' || !isdigit(name[len + 1]) ||
	    kstrtou32(name + len + 1, 10, &instance))
		return -EINVAL;
	return len;
}

static int pcisim_host_add_function(struct pcisim_host_config *host,
				    struct pcisim_function_config *config)
{
	guard(mutex)(&host->lock);

	if (host->host)
		return -EBUSY;
	while (!pcisim_slot_is_free(host, config->port, config->slot))
		if (++config->slot == PCISIM_MAX_SLOTS)
			return -ENOSPC;
	list_add_tail(&config->entry, &host->functions);
	return 0;
}

static struct pcisim_function_config *
pcisim_function_config_create(const struct pcisim_model *model, const char *name)
{
	struct pcisim_function_config *config;

	config = kzalloc_obj(*config);
	if (!config)
		return NULL;

	config->model = model;
	config->total_vfs = model->max_vfs;
	if (model->settings)
		memcpy(config->settings, model->defaults, model->settings * sizeof(u64));
	config_item_init_type_name(&config->item, name, pcisim_model_item_type(model));
	return config;
}

static struct config_item *pcisim_host_make_item(struct config_group *group, const char *name)
{
	struct pcisim_host_config *host = to_host_config(&group->cg_item);
	struct pcisim_function_config *config;
	const struct pcisim_model *model;
	int len, ret;

	len = pcisim_parse_name(name);
	if (len < 0)
		return ERR_PTR(len);

	model = pcisim_model_get(name, len);
	if (!model)
		return ERR_PTR(-ENOENT);

	config = pcisim_function_config_create(model, name);
	if (!config) {
		pcisim_model_put(model);
		return ERR_PTR(-ENOMEM);
	}

	config->host = host;
	config_item_get(&host->group.cg_item);
	ret = pcisim_host_add_function(host, config);
	if (ret) {
		config_item_put(&config->item);
		return ERR_PTR(ret);
	}
	return &config->item;
}

static void pcisim_host_drop_item(struct config_group *group, struct config_item *item)
{
	struct pcisim_host_config *host = to_host_config(&group->cg_item);

	scoped_guard(mutex, &host->lock)
		list_del(&to_function_config(item)->entry);
	config_item_put(item);
}

/* Keep rmdir away from a live host and its functions. */
static int pcisim_host_pin(struct pcisim_host_config *host)
{
	struct pcisim_function_config *config;
	int ret;

	lockdep_assert_held(&host->lock);

	ret = configfs_depend_item_unlocked(&pcisim_subsys, &host->group.cg_item);
	if (ret)
		return ret;

	list_for_each_entry(config, &host->functions, entry) {
		ret = configfs_depend_item_unlocked(&pcisim_subsys, &config->item);
		if (ret)
			goto err_undepend;
	}
	return 0;

err_undepend:
	list_for_each_entry_continue_reverse(config, &host->functions, entry)
		configfs_undepend_item_unlocked(&config->item);
	configfs_undepend_item_unlocked(&host->group.cg_item);
	return ret;
}

static void pcisim_host_unpin(struct pcisim_host_config *host)
{
	struct pcisim_function_config *config;

	lockdep_assert_held(&host->lock);

	list_for_each_entry(config, &host->functions, entry)
		configfs_undepend_item_unlocked(&config->item);
	configfs_undepend_item_unlocked(&host->group.cg_item);
}

static int pcisim_host_activate(struct pcisim_host_config *config)
{
	struct pcisim_host *host;
	int ret;

	lockdep_assert_held(&config->lock);

	if (list_empty(&config->functions))
		return -ENODATA;

	ret = pcisim_host_pin(config);
	if (ret)
		return ret;

	host = pcisim_host_create(&config->functions, config->wanted_domain);
	if (IS_ERR(host)) {
		pcisim_host_unpin(config);
		return PTR_ERR(host);
	}
	config->host = host;
	WRITE_ONCE(config->domain, host->domain);
	return 0;
}

static void pcisim_host_deactivate(struct pcisim_host_config *config)
{
	lockdep_assert_held(&config->lock);

	pcisim_host_destroy(config->host);
	WRITE_ONCE(config->domain, -1);
	config->host = NULL;
	pcisim_host_unpin(config);
}

static ssize_t pcisim_host_live_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_host_config(item)->domain) >= 0);
}

static ssize_t pcisim_host_live_store(struct config_item *item, const char *page, size_t len)
{
	struct pcisim_host_config *config = to_host_config(item);
	bool live;
	int ret = 0;

	if (kstrtobool(page, &live))
		return -EINVAL;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->lock) {
		if (live && !config->host)
			ret = pcisim_host_activate(config);
		else if (!live && config->host)
			pcisim_host_deactivate(config);
	}
	return ret ?: len;
}
CONFIGFS_ATTR(pcisim_host_, live);

static ssize_t pcisim_host_domain_show(struct config_item *item, char *page)
{
	int domain = READ_ONCE(to_host_config(item)->domain);

	return domain < 0 ? -ENODEV : sysfs_emit(page, "%04x\n", domain);
}

/* Hexadecimal like in an address. Larger numbers are for pcisim to choose. */
static ssize_t pcisim_host_domain_store(struct config_item *item, const char *page, size_t len)
{
	struct pcisim_host_config *config = to_host_config(item);
	u16 domain;

	if (kstrtou16(page, 16, &domain))
		return -EINVAL;

	scoped_cond_guard(mutex_intr, return -EINTR, &config->lock) {
		if (config->host)
			return -EBUSY;
		config->wanted_domain = domain;
	}
	return len;
}
CONFIGFS_ATTR(pcisim_host_, domain);

static struct configfs_attribute *pcisim_host_attrs[] = {
	&pcisim_host_attr_live,
	&pcisim_host_attr_domain,
	NULL
};

static void pcisim_host_config_release(struct config_item *item)
{
	struct pcisim_host_config *config = to_host_config(item);

	mutex_destroy(&config->lock);
	kfree(config);
}

static struct configfs_item_operations pcisim_host_item_ops = {
	.release = pcisim_host_config_release,
};

static struct configfs_group_operations pcisim_host_group_ops = {
	.make_item = pcisim_host_make_item,
	.drop_item = pcisim_host_drop_item,
};

static const struct config_item_type pcisim_host_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &pcisim_host_item_ops,
	.ct_group_ops = &pcisim_host_group_ops,
	.ct_attrs = pcisim_host_attrs,
};

static struct config_group *pcisim_make_group(struct config_group *group, const char *name)
{
	struct pcisim_host_config *config;

	config = kzalloc_obj(*config);
	if (!config)
		return ERR_PTR(-ENOMEM);

	mutex_init(&config->lock);
	INIT_LIST_HEAD(&config->functions);
	config->domain = -1;
	config_group_init_type_name(&config->group, name, &pcisim_host_type);
	return &config->group;
}

static struct configfs_group_operations pcisim_group_ops = {
	.make_group = pcisim_make_group,
};

static const struct config_item_type pcisim_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &pcisim_group_ops,
};

static struct configfs_subsystem pcisim_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "pcisim",
			.ci_type = &pcisim_type,
		},
	},
};

int pcisim_configfs_init(void)
{
	config_group_init(&pcisim_subsys.su_group);
	mutex_init(&pcisim_subsys.su_mutex);
	return configfs_register_subsystem(&pcisim_subsys);
}

void pcisim_configfs_exit(void)
{
	configfs_unregister_subsystem(&pcisim_subsys);
	mutex_destroy(&pcisim_subsys.su_mutex);
}
