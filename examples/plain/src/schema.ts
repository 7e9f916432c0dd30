/** What everybody shares. The lane of each field says what becomes of two changes at once. */
import { counter, flag, register, table } from 'atomik'

export const tables = {
  machines: table({
    /** Set by anyone, it stays set against an older unset. */
    running: flag(),
    /** Every part counts, wherever it was counted. */
    parts: counter(),
    /** The last writer wins, whole. */
    note: register.text(40),
  }),
}
