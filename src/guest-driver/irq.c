// SPDX-License-Identifier: GPL-2.0-or-later
/* The vectors of the device, all that are granted, each with a handler of its own. */
#include <linux/interrupt.h>

#include "driver.h"
#include "compat.h"

/*
 * Takes no lock, so it cannot deadlock with whoever waits. A bus that lost the
 * device reads as ones; an engine's acknowledge() must live with that.
 */
static irqreturn_t handle(int irq, void *data)
{
	struct dmatest_vector *vector = data;
	struct dmatest *test = vector->test;

	if (test->engine->acknowledge && !test->engine->acknowledge(test))
		return IRQ_NONE;
	if (!READ_ONCE(test->running))
		atomic_inc(&test->strays);
	WRITE_ONCE(vector->when, ktime_get_ns());
	atomic_inc(&vector->count);
	wake_up_all(&test->wait);
	return IRQ_HANDLED;
}

static const char *kind_of(const struct pci_dev *pdev)
{
	if (pdev->msix_enabled)
		return "msix";
	return pdev->msi_enabled ? "msi" : "intx";
}

static unsigned int wanted(struct pci_dev *pdev)
{
	int msix = pci_msix_vec_count(pdev);
	int msi = pci_msi_vec_count(pdev);

	return clamp(max(msix, msi), 1, DMATEST_VECTORS_MAX);
}

/*
 * A device that gets none is bound all the same: its DMA can be tested by polling, and the
 * cases of interrupts say so.
 */
int dmatest_irq_get(struct dmatest *test)
{
	struct pci_dev *pdev = test->pdev;
	unsigned long flags = 0;
	int granted, err, i;

	test->interrupt = "none";
	test->wanted = wanted(pdev);
	granted =
		pci_alloc_irq_vectors(pdev, 1, test->wanted, PCI_IRQ_MSIX | PCI_IRQ_MSI);
	/* Where the handler could not tell its own interrupt from another's, a shared pin
	 * would be blocked by it.
	 */
	if (granted < 0 && test->engine->acknowledge && pdev->pin) {
		granted = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_INTX);
		flags = IRQF_SHARED;
	}
	if (granted < 0) {
		pci_info(pdev, "no interrupt to be had (%d)\n", granted);
		return granted == -ENOMEM ? granted : 0;
	}
	for (i = 0; i < granted; i++) {
		struct dmatest_vector *vector = &test->vectors[i];

		vector->test = test;
		vector->number = i;
		snprintf(vector->name, sizeof(vector->name), DMATEST_MODULE "-%d", i);
		err = dmatest_fail_alloc() ? -ENOMEM
					   : request_irq(pci_irq_vector(pdev, i), handle,
							 flags, vector->name, vector);
		if (err) {
			dmatest_irq_put(test);
			return err;
		}
		vector->irq = pci_irq_vector(pdev, i);
	}
	test->interrupt = kind_of(pdev);
	test->granted = granted;
	return 0;
}

/* free_irq() waits for a handler that runs. */
void dmatest_irq_put(struct dmatest *test)
{
	int i;

	for (i = 0; i < DMATEST_VECTORS_MAX; i++) {
		if (test->vectors[i].irq < 0)
			continue;
		free_irq(test->vectors[i].irq, &test->vectors[i]);
		test->vectors[i].irq = -1;
	}
	test->granted = 0;
	pci_free_irq_vectors(test->pdev);
}

int dmatest_irq_wait(struct dmatest *test, unsigned int n, int before)
{
	struct dmatest_vector *vector = &test->vectors[n];
	long left;

	left = wait_event_killable_timeout(test->wait,
					   atomic_read(&vector->count) != before ||
						   READ_ONCE(test->leaving),
					   msecs_to_jiffies(test->timeout_ms));
	if (left > 0 && atomic_read(&vector->count) != before)
		return 1;
	return dmatest_over(test);
}
