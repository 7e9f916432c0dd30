/** Goal: the algebra view does what it says. Method: the built page from a plain web server, a person's clicks, keys and drags. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessibilityDefects, canRun, complaintsOf, openBrowser, servePage } from '../browser.ts'

const textOf = async (page: Page, id: string) => (await page.getByTestId(id).textContent()) ?? ''
const wordOf = (page: Page, name: string) => page.getByTestId(name).locator('output').textContent()

describe.skipIf(!canRun)('the algebra view', { timeout: 60_000 }, () => {
  let browser: Browser
  let page: Page
  let site: Awaited<ReturnType<typeof servePage>>
  let complaints: string[]
  const open = async (parameters: string) => {
    await page.goto('about:blank')
    await page.goto(`${site.url}#view=algebra&${parameters}`)
    await page.getByTestId('state').waitFor()
  }

  beforeAll(async () => {
    site = await servePage()
    browser = await openBrowser()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' })
    complaints = complaintsOf(page)
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    site?.close()
  })

  it('is what a page without a hub opens with, and offers no view that needs one', async () => {
    await page.goto(site.url)
    await page.getByTestId('state').waitFor()
    expect(await page.getByRole('navigation').getByRole('link', { name: 'Flights' }).count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Algebra' }).getAttribute('aria-current')).toBe('page')
  })

  it('accumulates the bits that are clicked', async () => {
    await open('lane=xor&width=8&load=5a&deltas=')
    await page.getByTestId('delta-input').fill('00')
    await page.getByRole('button', { name: 'bit 0', exact: true }).click()
    await page.getByRole('button', { name: 'bit 7', exact: true }).click()
    await page.getByRole('button', { name: 'ACCUM' }).click()
    expect(await wordOf(page, 'reference')).toBe('0x5A')
    expect(await wordOf(page, 'accumulator')).toBe('0x81')
    expect(await wordOf(page, 'state')).toBe('0xDB')
    expect(await textOf(page, 'said')).toContain('ACCUM 0x81')
  })

  it('READ changes nothing; SWAP makes the state the reference; LOAD sets it', async () => {
    await page.getByRole('button', { name: 'READ' }).click()
    expect(await wordOf(page, 'accumulator')).toBe('0x81')
    await page.getByRole('button', { name: 'SWAP' }).click()
    expect([
      await wordOf(page, 'reference'),
      await wordOf(page, 'accumulator'),
      await wordOf(page, 'state'),
    ]).toEqual(['0xDB', '0x00', '0xDB'])
    await page.getByTestId('delta-input').fill('0x11')
    await page.getByRole('button', { name: 'LOAD' }).click()
    expect(await wordOf(page, 'state')).toBe('0x11')
  })

  it('shows the algebra in five clicks', async () => {
    await open('lane=xor&width=16&load=cafe&deltas=ff.f00')
    const step = async (n: number) => {
      await page.getByRole('button', { name: `: step ${n}` }).click()
      return [await wordOf(page, 'reference'), await wordOf(page, 'accumulator'), await wordOf(page, 'state')]
    }
    const before = ['0xCAFE', '0x0FF9', '0xC507']
    expect(await step(1)).toEqual(before)
    expect(await step(2)).toEqual(before)
    expect(await textOf(page, 'said')).toContain('READ: 0xC507')
    expect(await step(3)).toEqual(before)
    expect(await page.locator('.deltas b').allTextContents()).toEqual(['δ2', 'δ3', 'δ1'])
    // The first in the list that can be undone is 0x0F00.
    expect(await step(4)).toEqual(['0xCAFE', '0x00F9', '0xCA07'])
    expect(await step(5)).toEqual(['0xCA07', '0x0000', '0xCA07'])
    await open('lane=max&width=16&load=64&deltas=5.7')
    expect(await page.getByRole('button', { name: ': step 4' }).isDisabled()).toBe(true)
  })

  it('undoes the first delta by accumulating it again', async () => {
    await open('lane=add&width=16&load=64&deltas=5.7')
    expect(await wordOf(page, 'state')).toBe('0x0070')
    await page.getByRole('button', { name: 'Undo δ1' }).click()
    expect(await wordOf(page, 'state')).toBe('0x006B')
    expect(await page.getByTestId('delta-3').textContent()).toContain('0xFFFB')
    expect(await page.getByRole('button', { name: 'Undo δ1' }).isDisabled()).toBe(true)
    await open('lane=max&width=16&load=64&deltas=5.7')
    expect(await page.getByRole('button', { name: 'Undo δ1' }).isDisabled()).toBe(true)
  })

  it('has the same state after a drag, and says how many orders it tried', async () => {
    await open('lane=xor&width=16&load=cafe&deltas=ff.f00.8001')
    const before = await wordOf(page, 'state')
    const order = () => page.locator('.deltas b').allTextContents()
    await page.getByTestId('delta-1').dragTo(page.getByTestId('delta-3'))
    expect(await order()).toEqual(['δ2', 'δ3', 'δ1'])
    expect(await wordOf(page, 'state')).toBe(before)
    await page.getByRole('button', { name: 'Move δ1 earlier' }).focus()
    await page.keyboard.press('Enter')
    expect(await order()).toEqual(['δ2', 'δ1', 'δ3'])
    expect(await textOf(page, 'orders')).toBe('all 6 orders tried: 6 end in the same state')
    // The address now shows the same to whoever opens it.
    await expect
      .poll(() => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('deltas'))
      .toBe('f00.ff.8001')
  })

  it('goes from bit to bit by arrow keys', async () => {
    await open('lane=xor&width=8&load=0&deltas=')
    await page.getByTestId('delta-input').fill('0')
    await page.getByRole('button', { name: 'bit 0', exact: true }).focus()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Space')
    expect(await page.getByTestId('delta-input').inputValue()).toBe('0x04')
    await page.keyboard.press('Home')
    await page.keyboard.press('Space')
    expect(await page.getByTestId('delta-input').inputValue()).toBe('0x84')
  })

  it('says what is wrong with a delta, and keeps the last good one', async () => {
    await page.getByTestId('delta-input').fill('1ff')
    expect(await page.locator('.problem').textContent()).toBe('it does not fit into 8 bits')
    await page.getByTestId('delta-input').fill('zz')
    expect(await page.locator('.problem').textContent()).toBe('not a hexadecimal number')
    await page.getByRole('button', { name: 'LOAD' }).click()
    expect(await wordOf(page, 'state')).toBe('0x84')
  })

  it('shows words of any width in every base', async () => {
    await page.getByTestId('width').fill('70')
    await page.getByTestId('width').press('Enter')
    await page.getByTestId('base').selectOption('decimal')
    expect(await wordOf(page, 'state')).toBe('132')
    await page.getByTestId('base').selectOption('binary')
    expect(await wordOf(page, 'state')).toBe(`0b${'10000100'.padStart(70, '0')}`)
  })

  it('takes words as wide as the library does, and draws the lowest bits', async () => {
    await page.getByTestId('width').fill('4096')
    await page.getByTestId('width').press('Enter')
    await page.getByTestId('base').selectOption('hexadecimal')
    await page.getByTestId('delta-input').fill(`8${'0'.repeat(1023)}`)
    await page.getByRole('button', { name: 'ACCUM' }).click()
    expect(await wordOf(page, 'state')).toBe(`0x8${'0'.repeat(1021)}84`)
    expect(await page.getByRole('button', { name: /^bit \d+$/ }).count()).toBe(128)
    const seen = page.url()
    await page.goto('about:blank')
    await page.goto(seen)
    expect(await wordOf(page, 'state')).toBe(`0x8${'0'.repeat(1021)}84`)
    await page.getByTestId('width').fill('4097')
    await page.getByTestId('width').press('Enter')
    expect(await page.getByTestId('width').inputValue()).toBe('4096')
  })

  it('copies its code', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await open('lane=add&width=16&load=1&deltas=2.3')
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(copied).toBe(await textOf(page, 'code'))
    expect(copied).toContain("new AtomikContext(16, 'add')")
  })

  it.each(['light', 'dark'] as const)(
    'has no accessibility defect that axe finds, in %s',
    async colorScheme => {
      await page.emulateMedia({ colorScheme })
      await open('lane=add&width=32&load=cafe&deltas=ff.f00.8001')
      expect(await accessibilityDefects(page)).toEqual([])
    },
  )

  it('fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    await open('lane=xor&width=32&load=cafe&deltas=ff.f00.8001')
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  })

  it('has nothing to complain of', () => {
    expect(complaints).toEqual([])
  })
})
