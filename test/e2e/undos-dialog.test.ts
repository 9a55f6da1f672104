import { expect, test } from 'vitest'
import { barriers, complaints, launch } from '../support/browser.ts'
import { requireChromium } from '../support/requires.ts'
import { runOrders } from '../support/run-orders.ts'
import { adminToken, emptyRedis, envOf } from '../support/world.ts'

const window = { from: '2026-11-23T14:03:00.000Z', to: '2026-11-23T14:40:00.000Z', by: 'ann' }
const undone = { orders: 12_000, users: 900, revenue: 50, left: 0, at: window.to }
const undos = [
  { ...window, name: 'import again', state: 'undone', where: { source: 'shop' }, undone },
  { ...window, name: `a long name ${'of an import that came twice '.repeat(3)}`, state: 'undone', undone },
  { ...window, name: 'x'.repeat(100), state: 'redone', where: { user: `sha256:${'a'.repeat(64)}` }, undone },
]

/** Lists what of the dialog is not in sight: its text and buttons beyond its own edges, and what it could be scrolled to. */
const outOfSight = `(() => {
  const dialog = document.querySelector('dialog')
  const { left, right } = dialog.getBoundingClientRect()
  return [...dialog.querySelectorAll('*')].flatMap((part) => {
    const own = part.getBoundingClientRect()
    const isCut = part.scrollWidth > part.clientWidth && part.clientWidth > 0
    return own.left < left || own.right > right || isCut ? [part.outerHTML] : []
  })
})()`

const sizes = [1280, 768, 390].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme })))

test('the dialog of the undos shows all that it has of each, and its button, at any width', async (context) => {
  requireChromium(context)
  await using world = await emptyRedis()
  await using running = runOrders(['run', 'api'], envOf(world.url, undefined, { CURRENCY: 'EUR' }))
  const url = await running.apiUrl()
  await using browser = await launch()
  for (const { width, scheme } of sizes) {
    const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 844 } })
    const reported = complaints(page)
    await page.addInitScript(`sessionStorage.setItem('orders-token', '${adminToken}')`)
    await page.route('**/undos', (route) => route.fulfill({ json: { undos } }))
    await page.goto(url)
    await page.locator('#state').getByText('Live').waitFor()
    await page.getByRole('link', { name: 'Undos' }).click()
    const first = page.getByRole('listitem').filter({ hasText: 'import again' })
    await first.getByText('undone: 12,000 orders with EUR 50.00').waitFor()
    await first.getByText('Only source=shop').waitFor()
    await first.getByText(/From .*14:03:00 .* to .*14:40:00/).waitFor()
    await first.getByText('By ann').waitFor()
    const redo = first.getByRole('button', { name: 'Redo import again…' })
    await redo.hover()
    expect([width, await page.evaluate<string[]>(outOfSight)]).toEqual([width, []])
    expect(await barriers(page, 'dialog')).toEqual([])
    await redo.click()
    await page.getByText('all orders that the undo import again took back').waitFor()
    expect(reported).toEqual([])
    await page.close()
  }
})
