/** Parsers of option values, with the range in the message. */
import { InvalidArgumentError } from 'commander'

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    return value
  }
}

/** A positive number, or the word `max`. */
export function speed(text: string): number | 'max' {
  if (text === 'max') return text
  const value = Number(text)
  if (!(value > 0 && value <= 1e6)) throw new InvalidArgumentError('Expected days of data a second, or max.')
  return value
}
