/**
 * UTF-8, strict, for a core that is compiled without TextEncoder. Overlong forms, surrogates and truncated sequences
 * have no meaning here: a key has one spelling.
 */

/** The UTF-8 bytes of `text`; an unpaired surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const ascii = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c >= 0x80) return encodeAny(text)
    ascii[i] = c
  }
  return ascii
}

function encodeAny(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    let c = character.codePointAt(0) ?? 0xfffd
    if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd
    if (c < 0x80) bytes.push(c)
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63))
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63))
    else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63))
  }
  return Uint8Array.from(bytes)
}

/** The text, or undefined when the bytes are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i]
    const more =
      lead < 0x80
        ? 0
        : lead >= 0xc2 && lead < 0xe0
          ? 1
          : lead >= 0xe0 && lead < 0xf0
            ? 2
            : lead >= 0xf0 && lead < 0xf5
              ? 3
              : -1
    if (more < 0 || i + more >= bytes.length) return undefined
    let c = more === 0 ? lead : lead & (0x3f >> more)
    for (let k = 1; k <= more; k++) {
      const next = bytes[i + k]
      if ((next & 0xc0) !== 0x80) return undefined
      c = (c << 6) | (next & 63)
    }
    if ((more === 2 && c < 0x800) || (more === 3 && (c < 0x10000 || c > 0x10ffff))) return undefined
    if (c >= 0xd800 && c <= 0xdfff) return undefined
    text += String.fromCodePoint(c)
    i += more + 1
  }
  return text
}

/** Order of row keys: by their UTF-8 bytes, which is by code point. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}
