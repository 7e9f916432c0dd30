/** Colours where a person reads them: on a terminal, unless NO_COLOR asks for none (no-color.org). */
import pc from 'picocolors'

export const colors = pc.createColors(process.stdout.isTTY === true && process.env.NO_COLOR === undefined)
