/** Figures as people read them. */
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const tenths = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

export const count = (value: number): string => whole.format(value)
/** At most one decimal, and none where it says nothing. */
const short = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })
export const decimal = (value: number): string => tenths.format(value)

/** Decimal units: 1 kB is 1,000 bytes. */
export function bytes(value: number): string {
  if (value < 1000) return `${whole.format(value)} B`
  if (value < 999_950) return `${tenths.format(value / 1000)} kB`
  if (value < 999_950_000) return `${tenths.format(value / 1e6)} MB`
  return `${tenths.format(value / 1e9)} GB`
}

/** The same for an axis: round values without their zeros. */
export function bytesShort(value: number): string {
  if (value < 1000) return `${whole.format(value)} B`
  return value < 1e6 ? `${short.format(value / 1000)} kB` : `${short.format(value / 1e6)} MB`
}

/** Minutes with their sign. */
export function delay(minutes: number): string {
  const rounded = Math.round(minutes)
  return rounded === 0
    ? 'on time'
    : `${whole.format(Math.abs(rounded))} min ${rounded > 0 ? 'late' : 'early'}`
}
