/**
 * Every size and count that input may claim, in one place. A decoder compares with these before it allocates.
 * Tests stand on each edge: the limit itself is accepted, one more is refused with `oversized` or `range`.
 */
export const limits = {
  /** Bits in one context of the algebra. */
  widthBitsMax: 4096,
  /** Contexts in one table of the algebra. */
  contextsMax: 2 ** 26,
  /** Bytes for blocks in one memory: what 32 bits address, less a page for the kernels' own tables and scratch. */
  blockMemoryBytesMax: 2 ** 32 - 2 ** 18,
  /** Tables in one space. */
  tablesMax: 64,
  /** Fields in one table. */
  fieldsMax: 1024,
  /** Elements in all arrays of one space. */
  elementsMax: 65_536,
  /** Words of 64 bits in one row, the life word included. */
  rowWordsMax: 4096,
  /** Words in all rows of one delta, as decoded: a few bytes can name a wide row. */
  deltaWordsMax: 2 ** 25,
  /** Rows ever named in one table of one space. */
  rowsMax: 2 ** 22,
  /** UTF-8 bytes in a row key, and in a table or field name. */
  keyBytesMax: 255,
  /** UTF-8 bytes in the name of a space. */
  spaceNameBytesMax: 120,
  /** UTF-8 bytes in a token. */
  tokenBytesMax: 4096,
  /** UTF-8 bytes in the name of a principal. */
  principalBytesMax: 120,
  /** Bytes in the description of a schema. */
  schemaBytesMax: 64 * 1024,
  /** Bytes in one message from a client to a hub. */
  uplinkBytesMax: 1024 * 1024,
  /** Bytes in one message from a hub to a client: a whole snapshot must fit. */
  downlinkBytesMax: 64 * 1024 * 1024,
  /** Incarnations one client may speak for: its own and those of earlier, unfinished sessions. */
  incarnationsMax: 64,
  /** Batches of one incarnation whose acceptance the author has not yet confirmed to know. */
  unconfirmedBatchesMax: 1024,
  /** Bytes in a page of a region: a multiple of 8. */
  pageBytesMax: 16_384,
  /** Bytes in a region. */
  regionBytesMax: 2 ** 30,
  /** Bytes in one patch of a region: what one message carries. */
  patchBytesMax: 256 * 1024,
  /** Incarnations whose histories one node of a mesh holds. */
  meshIncarnationsMax: 65_536,
  /** Ends of one incarnation's history: more than one only after a fork. */
  meshLeavesMax: 64,
  /** Segments of one incarnation's history in one frame. */
  meshSegmentsMax: 4096,
  /** Labels kept of bounds that lie inside the folded part of a history. */
  meshInsideMax: 256,
  /** Rows a hub asks a client for at once, when its disk has lost them. */
  lentRowsMax: 4096,
  /** Bytes of text in an error frame. */
  errorTextBytesMax: 1024,
} as const
