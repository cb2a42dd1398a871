// SPDX-License-Identifier: GPL-2.0-or-later
/* The attributes that dmatest.h describes. */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "driver.h"

static struct dmatest *test_of(struct device *dev)
{
	return pci_get_drvdata(to_pci_dev(dev));
}

static ssize_t abi_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", DMATEST_ABI);
}
static DEVICE_ATTR_RO(abi);

static ssize_t engine_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%s\n", test_of(dev)->engine->name);
}
static DEVICE_ATTR_RO(engine);

static ssize_t limits_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct dmatest *test = test_of(dev);

	return sysfs_emit(
		text,
		"transfer_max %zu\naddress_bits %u\ninterrupt %s\nvectors_wanted %u\n"
		"vectors_granted %u\n",
		test->transfer_max, test->address_bits, test->interrupt, test->wanted,
		test->granted);
}
static DEVICE_ATTR_RO(limits);

/* --- settings --- */

static ssize_t set_number(struct dmatest *test, const char *text, size_t size,
			  unsigned int *setting, unsigned int low, unsigned int high)
{
	unsigned int value;
	int err;

	err = kstrtouint(text, 10, &value);
	if (err || value < low || value > high)
		return -EINVAL;
	if (!mutex_trylock(&test->run_lock))
		return -EBUSY;
	*setting = value;
	mutex_unlock(&test->run_lock);
	return size;
}

static ssize_t bytes_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", READ_ONCE(test_of(dev)->bytes));
}

static ssize_t bytes_store(struct device *dev, struct device_attribute *attr,
			   const char *text, size_t size)
{
	struct dmatest *test = test_of(dev);

	return set_number(test, text, size, &test->bytes, DMATEST_BYTES_MIN,
			  DMATEST_BYTES_MAX);
}
static DEVICE_ATTR_ADMIN_RW(bytes);

static ssize_t rounds_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%u\n", READ_ONCE(test_of(dev)->rounds));
}

static ssize_t rounds_store(struct device *dev, struct device_attribute *attr,
			    const char *text, size_t size)
{
	struct dmatest *test = test_of(dev);

	return set_number(test, text, size, &test->rounds, 1, DMATEST_ROUNDS_MAX);
}
static DEVICE_ATTR_ADMIN_RW(rounds);

static ssize_t timeout_ms_show(struct device *dev, struct device_attribute *attr,
			       char *text)
{
	return sysfs_emit(text, "%u\n", READ_ONCE(test_of(dev)->timeout_ms));
}

static ssize_t timeout_ms_store(struct device *dev, struct device_attribute *attr,
				const char *text, size_t size)
{
	struct dmatest *test = test_of(dev);

	return set_number(test, text, size, &test->timeout_ms, DMATEST_TIMEOUT_MS_MIN,
			  DMATEST_TIMEOUT_MS_MAX);
}
static DEVICE_ATTR_ADMIN_RW(timeout_ms);

static ssize_t cases_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct dmatest *test = test_of(dev);
	ssize_t size;

	mutex_lock(&test->text_lock);
	size = sysfs_emit(text, "%s\n", test->cases);
	mutex_unlock(&test->text_lock);
	return size;
}

static ssize_t cases_store(struct device *dev, struct device_attribute *attr,
			   const char *text, size_t size)
{
	struct dmatest *test = test_of(dev);
	size_t length = size, i;

	if (length && text[length - 1] == '\n')
		length--;
	if (!length || length >= sizeof(test->cases))
		return -EINVAL;
	for (i = 0; i < length; i++)
		if (!isascii(text[i]) || !isgraph(text[i]))
			return -EINVAL;
	if (!mutex_trylock(&test->run_lock))
		return -EBUSY;
	/* The run reads it under run_lock alone, cases_show() under the other. */
	mutex_lock(&test->text_lock);
	memcpy(test->cases, text, length);
	test->cases[length] = '\0';
	mutex_unlock(&test->text_lock);
	mutex_unlock(&test->run_lock);
	return size;
}
static DEVICE_ATTR_ADMIN_RW(cases);

/* --- runs --- */

static ssize_t run_store(struct device *dev, struct device_attribute *attr,
			 const char *text, size_t size)
{
	struct dmatest *test = test_of(dev);
	int err;

	if (!sysfs_streq(text, "1"))
		return -EINVAL;
	if (!mutex_trylock(&test->run_lock))
		return -EBUSY;
	err = dmatest_run(test);
	mutex_unlock(&test->run_lock);
	return err ? err : size;
}
static DEVICE_ATTR_WO(run);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct dmatest *test = test_of(dev);
	ssize_t size;

	mutex_lock(&test->text_lock);
	size = sysfs_emit(text, "%s\n", test->state);
	mutex_unlock(&test->text_lock);
	return size;
}
static DEVICE_ATTR_RO(state);

static ssize_t results_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct dmatest *test = test_of(dev);
	ssize_t size;

	mutex_lock(&test->text_lock);
	size = sysfs_emit(text, "%s%s", test->results,
			  test->truncated ? "truncated\n" : "");
	mutex_unlock(&test->text_lock);
	return size;
}
static DEVICE_ATTR_RO(results);

static struct attribute *attributes[] = { &dev_attr_abi.attr,
					  &dev_attr_engine.attr,
					  &dev_attr_limits.attr,
					  &dev_attr_bytes.attr,
					  &dev_attr_rounds.attr,
					  &dev_attr_timeout_ms.attr,
					  &dev_attr_cases.attr,
					  &dev_attr_run.attr,
					  &dev_attr_state.attr,
					  &dev_attr_results.attr,
					  NULL };

const struct attribute_group dmatest_group = {
	.name = DMATEST_DIR,
	.attrs = attributes,
};
