/** Colours where a person reads them: on a terminal, unless NO_COLOR asks for none (no-color.org). */
import pc from 'picocolors'

const { NO_COLOR } = process.env

export const colors = pc.createColors(process.stdout.isTTY === true && NO_COLOR === undefined)
