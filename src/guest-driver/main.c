// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metis_dmatest - proves from within a kernel (a guest's, above all) that a
 * device reaches its memory and its interrupts. Takes no device by itself: it
 * has no table of ids, so one has to be given to it, by driver_override or new_id.
 */
#include <linux/io.h>
#include <linux/module.h>

#include "driver.h"
#include "compat.h"

static const struct dmatest_engine *const engines[] = {
	&dmatest_edu,
	&dmatest_dw_edma,
};

static int fail_alloc;
module_param(fail_alloc, int, 0600);
MODULE_PARM_DESC(fail_alloc,
		 "for tests of this module: the Nth allocation from now on fails");

static unsigned int dma_bits;
module_param(dma_bits, uint, 0644);
MODULE_PARM_DESC(dma_bits,
		 "address bits of what is bound from now on; 0: what its engine knows");

bool dmatest_fail_alloc(void)
{
	int left = READ_ONCE(fail_alloc);

	if (left <= 0)
		return false;
	WRITE_ONCE(fail_alloc, left - 1);
	return left == 1;
}

static const struct dmatest_engine *choose_engine(struct pci_dev *pdev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(engines); i++)
		if (engines[i]->vendor == pdev->vendor &&
		    (!engines[i]->device || engines[i]->device == pdev->device))
			return engines[i];
	return NULL;
}

/* --- BARs --- */

static void put_bars(struct dmatest *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(test->bar); i++) {
		if (!test->bar[i])
			continue;
		pci_iounmap(test->pdev, test->bar[i]);
		test->bar[i] = NULL;
		pci_release_region(test->pdev, i);
	}
}

static int get_bars(struct dmatest *test)
{
	struct pci_dev *pdev = test->pdev;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(test->bar); i++) {
		if (!(test->engine->bars & BIT(i)))
			continue;
		if (!(pci_resource_flags(pdev, i) & IORESOURCE_MEM) ||
		    !pci_resource_len(pdev, i)) {
			pci_err(pdev, "BAR %u is not there\n", i);
			return -ENODEV;
		}
		err = pci_request_region(pdev, i, DMATEST_MODULE);
		if (err)
			return err;
		if (!dmatest_fail_alloc())
			test->bar[i] = pci_iomap(pdev, i, 0);
		if (!test->bar[i]) {
			pci_release_region(pdev, i);
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- bind --- */

/*
 * As it was, but for bus mastering: whatever it was before, a device that
 * nobody drives shall not write to memory.
 */
static void restore(struct dmatest *test)
{
	pci_clear_master(test->pdev);
	pci_disable_device(test->pdev);
	if (pci_device_is_present(test->pdev))
		pci_write_config_word(test->pdev, PCI_COMMAND,
				      test->command & ~PCI_COMMAND_MASTER);
}

static int set_up(struct dmatest *test)
{
	struct pci_dev *pdev = test->pdev;
	int err;

	err = get_bars(test);
	if (err)
		return err;
	err = test->engine->probe(test);
	if (err)
		return err;
	/* Of edu nobody can read it: its property dma_mask. */
	if (dma_bits)
		test->address_bits = clamp(dma_bits, 16u, 64u);
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(test->address_bits));
	if (err) {
		pci_err(pdev,
			"the kernel has no memory for a device with %u address bits\n",
			test->address_bits);
		return err;
	}
	err = dmatest_irq_get(test);
	if (err)
		return err;
	/* Last: from here on user space comes in. */
	return sysfs_create_group(&pdev->dev.kobj, &dmatest_group);
}

static void tear_down(struct dmatest *test)
{
	dmatest_irq_put(test);
	if (test->engine->unbind)
		test->engine->unbind(test);
	put_bars(test);
	restore(test);
	mutex_destroy(&test->run_lock);
	mutex_destroy(&test->text_lock);
	kfree(test->results);
	kfree(test);
}

static struct dmatest *new_test(struct pci_dev *pdev, const struct dmatest_engine *engine)
{
	struct dmatest *test = NULL;
	unsigned int i;

	if (!dmatest_fail_alloc())
		test = kzalloc(sizeof(*test), GFP_KERNEL);
	if (!test)
		return NULL;
	if (!dmatest_fail_alloc())
		test->results = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!test->results) {
		kfree(test);
		return NULL;
	}
	for (i = 0; i < DMATEST_VECTORS_MAX; i++)
		test->vectors[i].irq = -1;
	test->pdev = pdev;
	test->engine = engine;
	test->bytes = DMATEST_BYTES_DEFAULT;
	test->rounds = 1;
	test->timeout_ms = DMATEST_TIMEOUT_MS_DEFAULT;
	strscpy(test->cases, "*", sizeof(test->cases));
	mutex_init(&test->run_lock);
	mutex_init(&test->text_lock);
	init_waitqueue_head(&test->wait);
	dmatest_state(test, "idle");
	return test;
}

static int dmatest_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct dmatest_engine *engine = choose_engine(pdev);
	struct dmatest *test;
	int err;

	if (!engine) {
		pci_err(pdev, "no engine for this kind of device\n");
		return -ENODEV;
	}
	if (!pci_device_is_present(pdev))
		return -ENODEV;
	test = new_test(pdev, engine);
	if (!test)
		return -ENOMEM;
	pci_read_config_word(pdev, PCI_COMMAND, &test->command);
	err = pci_enable_device_mem(pdev);
	if (err) {
		kfree(test->results);
		kfree(test);
		return err;
	}
	pci_clear_master(pdev);
	pci_set_drvdata(pdev, test);
	err = set_up(test);
	if (err) {
		pci_set_drvdata(pdev, NULL);
		tear_down(test);
		return err;
	}
	pci_info(pdev, "engine %s, %s with %u of %u vectors\n", engine->name,
		 test->interrupt, test->granted, test->wanted);
	return 0;
}

/* A run ends at its next look, and whoever waits for an interrupt looks now. */
static void leave(struct dmatest *test)
{
	WRITE_ONCE(test->leaving, true);
	wake_up_all(&test->wait);
}

static void dmatest_remove(struct pci_dev *pdev)
{
	struct dmatest *test = pci_get_drvdata(pdev);

	leave(test);
	/* Returns when nobody is within an attribute any more. */
	sysfs_remove_group(&pdev->dev.kobj, &dmatest_group);
	pci_set_drvdata(pdev, NULL);
	tear_down(test);
}

/* Before a reboot or kexec: the next kernel's memory is not ours to write to. */
static void dmatest_shutdown(struct pci_dev *pdev)
{
	leave(pci_get_drvdata(pdev));
	pci_clear_master(pdev);
}

static struct pci_driver dmatest_driver = {
	.name = DMATEST_MODULE,
	/* No table: an empty one would make new_id refuse (drivers/pci/pci-driver.c). */
	.probe = dmatest_probe,
	.remove = dmatest_remove,
	.shutdown = dmatest_shutdown,
};
module_pci_driver(dmatest_driver);

MODULE_AUTHOR("metis-passthrough");
MODULE_DESCRIPTION("Proof of DMA and interrupts of a device that was passed through");
MODULE_LICENSE("GPL");
#ifdef DMATEST_VERSION
MODULE_VERSION(DMATEST_VERSION);
#endif
