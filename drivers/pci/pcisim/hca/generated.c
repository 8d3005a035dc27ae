// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bulk state that is not stored: each page has a version, and its bytes follow from that
 * and from where the page is. So a state may be larger than the memory of the machine.
 *
 * A page of an image says by its first bytes of which version it is; all others have to
 * fit. Bytes that get lost, change or come to the wrong place are noticed when an image
 * is loaded.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hca.h"

#define PAGE_WORDS	(HCA_BULK_PAGE / sizeof(__le64))
/* odd, so that all words are different */
#define WORD_FACTOR	0x9e3779b97f4a7c15ULL

/* The first word of a page of version 0. Each further one is larger by WORD_FACTOR. */
static u64 generated_begin(u64 page)
{
	return (page * PAGE_WORDS + 1) * WORD_FACTOR;
}

static u32 generated_version(u64 page, const void *from)
{
	return le64_to_cpu(*(const __le64 *)from) ^ generated_begin(page);
}

/* Give @count pages from @first on another version. */
void pcisim_hca_generated_change(struct pcisim_hca_bulk *bulk, u64 first, u64 count, u32 version)
{
	u32 *versions = bulk->data;

	memset32(versions + first, version, count);
	pcisim_hca_bulk_mark(bulk, first << HCA_BULK_SHIFT, count << HCA_BULK_SHIFT);
}

static void generated_fill_page(u64 page, u32 version, __le64 *words)
{
	u64 word = generated_begin(page);

	for (unsigned int i = 0; i < PAGE_WORDS; i++, word += WORD_FACTOR)
		words[i] = cpu_to_le64(word ^ version);
}

/* Make the bytes of @count pages from @first on. */
void pcisim_hca_generated_fill(const struct pcisim_hca_bulk *bulk, u64 first, u64 count, void *to)
{
	const u32 *versions = bulk->data;

	for (u64 i = 0; i < count; i++)
		generated_fill_page(first + i, versions[first + i], to + (i << HCA_BULK_SHIFT));
}

static bool generated_page_ok(u64 page, const __le64 *words)
{
	u32 version = generated_version(page, words);
	u64 word = generated_begin(page);

	for (unsigned int i = 0; i < PAGE_WORDS; i++, word += WORD_FACTOR) {
		if (le64_to_cpu(words[i]) != (word ^ version))
			return false;
	}
	return true;
}

/* Whether these are the bytes of @count pages from @first on, of whatever versions. */
bool pcisim_hca_generated_ok(u64 first, u64 count, const void *from)
{
	for (u64 i = 0; i < count; i++) {
		if (!generated_page_ok(first + i, from + (i << HCA_BULK_SHIFT)))
			return false;
	}
	return true;
}

/* Take over the versions of pages that are ok. */
void pcisim_hca_generated_take(struct pcisim_hca_bulk *bulk, u64 first, u64 count,
			       const void *from)
{
	u32 *versions = bulk->data;

	for (u64 i = 0; i < count; i++)
		versions[first + i] = generated_version(first + i, from + (i << HCA_BULK_SHIFT));
}

/* "<first page> <pages> <version>", a line for all pages that have a version in common. */
static int versions_show(struct seq_file *file, void *unused)
{
	struct pcisim_hca_vhca *vhca = file->private;
	u64 first, next, pages;
	const u32 *versions;

	guard(mutex)(&vhca->lock);
	versions = vhca->bulk->data;
	pages = pcisim_hca_bulk_pages(vhca->bulk->size);
	for (first = 0; first < pages; first = next) {
		for (next = first + 1; next < pages && versions[next] == versions[first];)
			next++;
		seq_printf(file, "%llu %llu %u\n", first, next - first, versions[first]);
	}
	return 0;
}

/* Such a line. */
static ssize_t versions_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct pcisim_hca_vhca *vhca = ((struct seq_file *)file->private_data)->private;
	u64 first, count, pages;
	char text[64] = "";
	u32 version;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	if (sscanf(text, "%llu %llu %u", &first, &count, &version) != 3)
		return -EINVAL;

	guard(mutex)(&vhca->lock);
	pages = pcisim_hca_bulk_pages(vhca->bulk->size);
	if (first > pages || count > pages - first)
		return -EINVAL;
	pcisim_hca_generated_change(vhca->bulk, first, count, version);
	return len;
}
DEFINE_SHOW_STORE_ATTRIBUTE(versions);

void pcisim_hca_generated_debugfs(struct pcisim_hca_vhca *vhca, struct dentry *dir)
{
	if (vhca->generated)
		debugfs_create_file("versions", 0600, dir, vhca, &versions_fops);
}
