/** Colours live in style.css; canvases ask for them here, and are told when light turns to dark. */

export function cssValue(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** Neighbouring regions have neighbouring hues, from west to east. */
export function regionHue(region: number, regions: number): number {
  return Math.round((255 + (360 * region) / Math.max(1, regions)) % 360)
}

/** For a canvas; in style sheets `oklch(var(--region-tone) <hue>)` is the same. */
export function regionColor(region: number, regions: number): string {
  return `oklch(${cssValue('--region-tone')} ${regionHue(region, regions)})`
}

export function onThemeChange(listener: () => void): () => void {
  const query = matchMedia('(prefers-color-scheme: dark)')
  query.addEventListener('change', listener)
  return () => query.removeEventListener('change', listener)
}
