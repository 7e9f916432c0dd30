/** Why a bar was missed and what would reach it, by the bar's name: printed beside it when it is missed. Each from a profile or a count. */
export const reasons: Readonly<Record<string, string>> = {}
