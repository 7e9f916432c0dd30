/** Three or four digits that can be read: 1,234 · 12.3 · 0.0123 · 1.23 M. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size >= 1e9) return `${(value / 1e9).toPrecision(3)} G`
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  if (size === 0) return '0'
  return String(Number(value.toPrecision(3)))
}
